/** What answers are decoded with: a model that reads texts token by token, whoever owns its weights. */
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { cachedFeeds } from '../models/qwen2-vl/feeds.ts';
import { cacheName, outputNames } from '../models/qwen2-vl/forward.ts';
import { cacheWidth } from '../nn/key-value-cache.ts';
import type { FedWeight, LazySession } from '../runtime/lazy-session.ts';
import { embeddingFeed } from '../train/embed-images.ts';
import type { FindEmbedding } from '../train/encoder.ts';
import type { SampleImage } from '../train/step.ts';
import { KeyValueStore } from './key-value-store.ts';
import type { Sequence } from './sequence.ts';

/** New tokens of one text. */
export interface Reading {
  sequence: Sequence;
  ids: Int32Array;
  /** [3, t] M-RoPE indices. */
  indices: Int32Array;
  /** The model's own words, where no image token stands for a picture. */
  said?: boolean;
}

export interface ReadingModel {
  readonly config: Qwen2VLConfig;
  /** Changes with the weights: what was read before means nothing to the model after. */
  readonly epoch: number;
  newStore(capacity?: number): KeyValueStore;
  /** A picture's embedding, where it is known. */
  readonly find?: FindEmbedding;
  /** For each picture, [m, D]: what the text is given for its tokens. */
  embed(images: readonly SampleImage[]): Promise<Float32Array[]>;
  /**
   * Reads the next tokens of several texts in one run and appends their keys and values. `embeddings` are those of
   * the image tokens among them, in order. Returns the logits [V] after each text's last token.
   */
  read(
    store: KeyValueStore,
    readings: readonly Reading[],
    embeddings?: readonly Float32Array[],
  ): Promise<Float32Array[]>;
}

export function newStore({ text }: Qwen2VLConfig, capacity?: number): KeyValueStore {
  return new KeyValueStore(cacheWidth(text.layers, text), capacity);
}

/** A session of `cachedGraph` and what it is fed beside its texts. */
export interface TextReader {
  session: LazySession;
  weights: readonly FedWeight[];
  config: Qwen2VLConfig;
}

/** As `ReadingModel.read`. */
export async function readTogether(
  { session, weights, config }: TextReader,
  store: KeyValueStore,
  readings: readonly Reading[],
  embeddings: readonly Float32Array[],
): Promise<Float32Array[]> {
  const texts = readings.map(({ sequence, ...tokens }) => ({ ...tokens, past: sequence.ranges }));
  let end = 0;
  const rows = Int32Array.from(readings, ({ ids }) => {
    end += ids.length;
    return end - 1;
  });
  const outputs = await session.run(
    {
      ...cachedFeeds(texts, store.length, config),
      ...embeddingFeed(embeddings, config),
      [cacheName]: store.rows(),
      rows: { data: rows, dims: [rows.length] },
    },
    weights,
  );
  let start = store.append(outputs[outputNames.cacheRows] as Float32Array);
  for (const { sequence, ids, indices } of readings) {
    sequence.add(start, ids.length);
    sequence.next = indices.reduce((largest, index) => Math.max(largest, index), sequence.next - 1) + 1;
    start += ids.length;
  }
  const logits = outputs[outputNames.logits] as Float32Array;
  const words = logits.length / rows.length;
  return readings.map((_, i) => logits.subarray(i * words, (i + 1) * words));
}
