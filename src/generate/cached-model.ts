/** A model that reads texts token by token: graphs, weights and an adapter, but no word of a conversation. */
import { type Adapter, readAdapter } from '../checkpoint/peft.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { cachedFeeds } from '../models/qwen2-vl/feeds.ts';
import { cachedGraph, cacheName, outputNames, visionGraph } from '../models/qwen2-vl/forward.ts';
import { linearModules, loraTargets, openModelWeights } from '../models/qwen2-vl/weights.ts';
import { cacheWidth } from '../nn/key-value-cache.ts';
import type { LinearModule } from '../nn/lora-targets.ts';
import type { Parameter } from '../nn/network.ts';
import { LazySession } from '../runtime/lazy-session.ts';
import { physicalCores } from '../runtime/threads.ts';
import { embeddingFeed, embedImage, type ImageInput } from '../train/embed-images.ts';
import { frozenParameters } from '../train/parameters.ts';
import { addSlots, slotWeights } from './adapter-slots.ts';
import { KeyValueStore } from './key-value-store.ts';
import { choosePacking, type Packing } from './packing.ts';
import type { Sequence } from './sequence.ts';

export interface CachedModelOptions {
  modelDir: string;
  adapterDir?: string;
  /** Physical cores where not given. */
  threads?: number;
  /** Whether weights are packed; decided by `choosePacking` where not given. */
  pack?: boolean;
}

/** New tokens of one text. */
export interface Reading {
  sequence: Sequence;
  ids: Int32Array;
  /** [3, t] M-RoPE indices. */
  indices: Int32Array;
}

type Part = 'text' | 'vision';

/** The graph of one part of the model, with places for an adapter or without. */
interface OpenPart {
  session: LazySession;
  hasSlots: boolean;
}

export class CachedModel {
  readonly config: Qwen2VLConfig;
  readonly threads: number;
  readonly packing: Packing;
  readonly #parameters: Map<string, Parameter>;
  readonly #modules: Record<Part, LinearModule[]>;
  readonly #open: Partial<Record<Part, OpenPart>> = {};
  #adapter?: Adapter;
  #adapters = 0;

  private constructor(
    config: Qwen2VLConfig,
    parameters: Map<string, Parameter>,
    options: CachedModelOptions,
  ) {
    this.config = config;
    this.threads = options.threads ?? physicalCores();
    this.packing = choosePacking(parameters, options.pack);
    this.#parameters = parameters;
    const modules = linearModules(config);
    this.#modules = {
      text: modules.filter(({ part }) => part === 'decoder'),
      vision: modules.filter(({ part }) => part !== 'decoder'),
    };
  }

  /** Opens and checks the files; kernels start at the first run. Throws `checkpoint` and `adapter` errors. */
  static async open(options: CachedModelOptions): Promise<CachedModel> {
    const config = await loadModelConfig(options.modelDir);
    const weights = await openModelWeights(options.modelDir, config);
    const model = new CachedModel(config, frozenParameters(config, weights), options);
    if (options.adapterDir !== undefined) await model.useAdapter(options.adapterDir);
    return model;
  }

  /** Answers with this adapter from now on, or without any. One that does not fit leaves the one before in place. */
  async useAdapter(dir: string | undefined): Promise<void> {
    this.#adapter = dir === undefined ? undefined : await readAdapter(dir, loraTargets(this.config));
    this.#adapters++;
  }

  /** Changes with the adapter: what was read before it means nothing to the model after. */
  get epoch(): number {
    return this.#adapters;
  }

  /** Types of the weights as they are stored. */
  get dtypes(): string[] {
    return [
      ...new Set([...this.#parameters.values()].flatMap(({ location }) => location?.dtype ?? [])),
    ].sort();
  }

  newStore(capacity?: number): KeyValueStore {
    const { text } = this.config;
    return new KeyValueStore(cacheWidth(text.layers, text), capacity);
  }

  /** [m, D] what the text is given for a picture's tokens. */
  async embed(image: ImageInput): Promise<Float32Array> {
    const { session, weights } = await this.#part('vision');
    return embedImage(session, image, this.config, weights);
  }

  /**
   * Reads the next tokens of several texts in one run and appends their keys and values. `embeddings` are those of
   * the image tokens among them, in order. Returns the logits [V] after each text's last token.
   */
  async read(
    store: KeyValueStore,
    readings: readonly Reading[],
    embeddings: readonly Float32Array[] = [],
  ): Promise<Float32Array[]> {
    const texts = readings.map(({ ids, indices, sequence }) => ({ ids, indices, past: sequence.ranges }));
    let end = 0;
    const rows = Int32Array.from(readings, ({ ids }) => {
      end += ids.length;
      return end - 1;
    });
    const { session, weights } = await this.#part('text');
    const outputs = await session.run(
      {
        ...cachedFeeds(texts, store.length, this.config),
        ...embeddingFeed(embeddings, this.config),
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

  async close(): Promise<void> {
    for (const part of Object.values(this.#open)) await part.session.close();
  }

  /** A part opens without places for an adapter until one needs them, and keeps them from then on. */
  async #part(part: Part) {
    const modules = this.#modules[part];
    const needed = modules.some(({ name }) => this.#adapter?.config.targetModules.includes(name));
    let open = this.#open[part];
    if (!open || (needed && !open.hasSlots)) {
      await open?.session.close();
      open = { session: this.#session(part, needed), hasSlots: needed };
      this.#open[part] = open;
    }
    const weights = open.hasSlots ? this.#weights(part) : [];
    return { session: open.session, weights };
  }

  readonly #fed: Partial<Record<Part, { epoch: number; weights: ReturnType<typeof slotWeights> }>> = {};

  #weights(part: Part) {
    let fed = this.#fed[part];
    if (fed?.epoch !== this.epoch) {
      fed = { epoch: this.epoch, weights: slotWeights(this.#modules[part], this.#adapter) };
      this.#fed[part] = fed;
    }
    return fed.weights;
  }

  #session(part: Part, withSlots: boolean): LazySession {
    const { parameters, lora } = addSlots(this.#parameters, withSlots ? this.#modules[part] : []);
    const model = { config: this.config, parameters, lora, recompute: false };
    const build = part === 'text' ? cachedGraph : visionGraph;
    const pack = part === 'text' && this.packing.packed;
    return new LazySession(() => build(model), { target: 'cpu', threads: this.threads, pack });
  }
}
