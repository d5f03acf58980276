/** Token by token: several answers in step with each other, each at the end of its own text in one store. */
import type { KeyValueStore } from './key-value-store.ts';
import type { ReadingModel } from './reading-model.ts';
import { logProbability, type Sampler } from './sampling.ts';
import type { Sequence } from './sequence.ts';

/** A text that has been read to its end, and the logits [V] of what may follow. */
export interface Prefilled {
  sequence: Sequence;
  logits: Float32Array;
}

/** A text to be answered, and how. */
export interface Unanswered extends Prefilled {
  /** An answer that has not ended by itself is cut here. */
  maxNewTokens: number;
  sample: Sampler;
}

/** `stop`: the model ended it. `length`: it was cut at `maxNewTokens`. `aborted`: somebody asked to stop. */
export type Finish = 'stop' | 'length' | 'aborted';

export interface DecodedAnswer {
  ids: number[];
  /** Of each token and, where the model ended the answer, of the end; natural logarithms under the model itself. */
  logProbabilities: number[];
  finish: Finish;
}

export interface DecodeHooks {
  /** A token of the answer with this index. */
  onToken?(answer: number, id: number): void;
  stopped?(): boolean;
}

/**
 * Answers begin where their texts end; a token of `endTokenIds` ends one and is no part of it. Their tokens stay in
 * the store, all but the last of each.
 */
export async function decodeTogether(
  model: ReadingModel,
  store: KeyValueStore,
  texts: readonly Unanswered[],
  endTokenIds: ReadonlySet<number>,
  { onToken, stopped = () => false }: DecodeHooks = {},
): Promise<DecodedAnswer[]> {
  const answers = texts.map((): DecodedAnswer => ({ ids: [], logProbabilities: [], finish: 'length' }));
  let live = texts.map((text, index) => ({ ...text, index }));
  while (live.length > 0) {
    if (stopped()) {
      for (const { index } of live) answers[index].finish = 'aborted';
      break;
    }
    live = live.filter(({ logits, index, sample, maxNewTokens }) => {
      const answer = answers[index];
      const id = sample(logits, answer.ids.length);
      answer.logProbabilities.push(logProbability(logits, id));
      if (endTokenIds.has(id)) answer.finish = 'stop';
      else {
        answer.ids.push(id);
        onToken?.(index, id);
      }
      return answer.finish !== 'stop' && answer.ids.length < maxNewTokens;
    });
    if (live.length === 0) break;
    const readings = live.map(({ sequence, index }) => ({
      sequence,
      ids: Int32Array.of(answers[index].ids.at(-1)!),
      indices: new Int32Array(3).fill(sequence.next),
      said: true,
    }));
    const logits = await model.read(store, readings);
    live = live.map((text, i) => ({ ...text, logits: logits[i] }));
  }
  return answers;
}
