/** A model in the middle of its training, as it is at every call. */
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { cachedGraph, isVision, type ModelDefinition, visionGraph } from '../models/qwen2-vl/forward.ts';
import { LazySession } from '../runtime/lazy-session.ts';
import { embedImage } from '../train/embed-images.ts';
import type { FindEmbedding } from '../train/encoder.ts';
import type { ImageEmbedder } from '../train/image-embedder.ts';
import type { SampleImage, Trainable } from '../train/step.ts';
import type { KeyValueStore } from './key-value-store.ts';
import { newStore, type Reading, type ReadingModel, readTogether } from './reading-model.ts';

/**
 * What is trained is fed from the trainer's own memory, whether it stands beside the base (LoRA) or in its place; the
 * frozen weights are mapped from the same files as the trainer's. Nothing is loaded again and nothing copied: weights are
 * never packed here, because a copy of them would stand beside all that training holds.
 */
export class TrainedModel implements ReadingModel {
  readonly config: Qwen2VLConfig;
  /** One: whoever asks begins with nothing read, once the values have moved. */
  readonly epoch = 0;
  readonly #trainables: readonly Trainable[];
  readonly #text: LazySession;
  readonly #vision: LazySession;
  readonly #embedder?: ImageEmbedder;

  /** @param embedder the trainer's, where the tower is not trained. */
  constructor(
    model: ModelDefinition,
    trainables: readonly Trainable[],
    threads: number,
    embedder?: ImageEmbedder,
  ) {
    this.config = model.config;
    this.#embedder = embedder;
    this.#trainables = trainables;
    const options = { target: 'cpu', threads } as const;
    this.#text = new LazySession(() => cachedGraph(withoutTower(model)), options);
    this.#vision = new LazySession(() => visionGraph(model), options);
  }

  newStore(capacity?: number): KeyValueStore {
    return newStore(this.config, capacity);
  }

  get find(): FindEmbedding | undefined {
    return this.#embedder?.find;
  }

  async embed(images: readonly SampleImage[]): Promise<Float32Array[]> {
    if (this.#embedder) return this.#embedder.embed(images);
    const embeddings: Float32Array[] = [];
    for (const image of images)
      embeddings.push(await embedImage(this.#vision, image, this.config, this.#trainables));
    return embeddings;
  }

  read(
    store: KeyValueStore,
    readings: readonly Reading[],
    embeddings: readonly Float32Array[] = [],
  ): Promise<Float32Array[]> {
    const reader = { session: this.#text, weights: this.#trainables, config: this.config };
    return readTogether(reader, store, readings, embeddings);
  }

  async close(): Promise<void> {
    await this.#text.close();
    await this.#vision.close();
  }
}

/** A tower that is trained stands inside every graph that knows it; the cached text is handed what it made of a picture. */
function withoutTower({ parameters, ...model }: ModelDefinition): ModelDefinition {
  return { ...model, parameters: new Map([...parameters].filter(([name]) => !isVision(name))) };
}
