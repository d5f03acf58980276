/** Greedy decoding by the full forward pass: exact, simple, and fast enough for short answers. */
import type { Encoded } from '../data/example.ts';
import { tokenKinds } from '../data/example.ts';
import { LorikeetError } from '../errors.ts';
import type { Sample } from '../train/step.ts';

/** The part of a compiled model that decoding needs: the logits [V] that follow a sample's last token. */
export interface NextToken {
  nextLogits(sample: Sample): Promise<Float32Array>;
}

export interface GreedyOptions {
  /** Decoding stops here, and the token is not part of the answer. */
  endTokenId: number;
  /** An answer that has not ended by itself is cut here. */
  maxNewTokens: number;
}

/** The ids of the likeliest answer to a prompt, token by token; ties go to the smaller id. */
export async function greedyAnswer(
  model: NextToken,
  prompt: Sample,
  { endTokenId, maxNewTokens }: GreedyOptions,
): Promise<number[]> {
  const answer: number[] = [];
  while (answer.length < maxNewTokens) {
    const ids = Int32Array.from([...prompt.encoded.ids, ...answer]);
    const logits = await model.nextLogits({ ...prompt, encoded: { ...prompt.encoded, ids } });
    const next = logits.indexOf(logits.reduce((largest, logit) => Math.max(largest, logit)));
    if (next === endTokenId) break;
    answer.push(next);
  }
  return answer;
}

/**
 * A conversation up to where its last answer would begin: what the model is asked. Answers are tokenised apart
 * from what stands before them, so cutting gives the ids that the prompt alone would have.
 */
export function promptOf(sample: Sample): Sample {
  const { encoded } = sample;
  const answer = tokenKinds.indexOf('answer');
  const last = encoded.kinds.lastIndexOf(answer);
  if (last < 0)
    throw new LorikeetError('data', {
      row: encoded.row,
      what: 'an answer to cut off expected, found none',
      fix: 'Only a conversation that ends with an assistant turn can be asked again.',
    });
  let start = last;
  while (start > 0 && encoded.kinds[start - 1] === answer) start--;
  return { ...sample, encoded: cut(encoded, start) };
}

function cut(encoded: Encoded, end: number): Encoded {
  return { ...encoded, ids: encoded.ids.slice(0, end), kinds: encoded.kinds.slice(0, end) };
}
