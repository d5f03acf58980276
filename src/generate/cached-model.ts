/** A model that reads texts token by token: graphs, weights and an adapter, but no word of a conversation. */
import { type Adapter, readAdapter } from '../checkpoint/peft.ts';
import type { CacheConfig } from '../config/schema.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { cachedGraph, type ModelDefinition, visionGraph } from '../models/qwen2-vl/forward.ts';
import { linearModules, loraTargets, openModelWeights } from '../models/qwen2-vl/weights.ts';
import type { LinearModule } from '../nn/lora-targets.ts';
import type { Parameter } from '../nn/network.ts';
import { LazySession } from '../runtime/lazy-session.ts';
import { physicalCores } from '../runtime/threads.ts';
import { embedImage } from '../train/embed-images.ts';
import type { FindEmbedding } from '../train/encoder.ts';
import type { ImageEmbedder } from '../train/image-embedder.ts';
import { frozenParameters } from '../train/parameters.ts';
import type { SampleImage } from '../train/step.ts';
import { openVisionCache, plainCache } from '../train/vision-cache.ts';
import { addSlots, slotWeights } from './adapter-slots.ts';
import type { KeyValueStore } from './key-value-store.ts';
import { choosePacking, type Packing } from './packing.ts';
import { newStore, type Reading, type ReadingModel, readTogether } from './reading-model.ts';

export interface CachedModelOptions {
  modelDir: string;
  adapterDir?: string;
  /** Physical cores where not given. */
  threads?: number;
  /** Packs weights from the start, or never; `choosePacking` decides where not given. */
  pack?: boolean;
  /** Where what the vision tower makes of pictures is kept; without it, a little in memory. */
  cache?: CacheConfig;
  /** What embeds pictures, where somebody has it open for the same model already. */
  embedder?: ImageEmbedder;
}

type Part = 'text' | 'vision';

/** The graph of one part of the model, as it was opened. */
interface OpenPart {
  session: LazySession;
  /** Has places for an adapter. */
  hasSlots: boolean;
  packed: boolean;
}

export class CachedModel implements ReadingModel {
  readonly config: Qwen2VLConfig;
  readonly threads: number;
  readonly packing: Packing;
  readonly #parameters: Map<string, Parameter>;
  /** Of the tower as it is without an adapter. */
  readonly #embedder: ImageEmbedder;
  readonly #ownsEmbedder: boolean;
  readonly #modules: Record<Part, LinearModule[]>;
  readonly #open: Partial<Record<Part, OpenPart>> = {};
  #adapter?: Adapter;
  #adapters = 0;
  /** Runs that decoded, a token for each text: each of them reads every weight once. */
  #decoded = 0;

  private constructor(
    config: Qwen2VLConfig,
    parameters: Map<string, Parameter>,
    embedder: ImageEmbedder,
    options: CachedModelOptions,
  ) {
    this.config = config;
    this.#embedder = embedder;
    this.#ownsEmbedder = embedder !== options.embedder;
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
    const parameters = frozenParameters(config, weights);
    const embedder = await embedderOf({ config, parameters, lora: new Map(), recompute: false }, options);
    const model = new CachedModel(config, parameters, embedder, options);
    if (options.adapterDir !== undefined) await model.useAdapter(options.adapterDir);
    return model;
  }

  /** Answers with this adapter from now on, or without any. One that does not fit leaves the one before in place. */
  async useAdapter(dir: string | undefined): Promise<void> {
    this.#adapter = dir === undefined ? undefined : await readAdapter(dir, loraTargets(this.config));
    this.#adapters++;
  }

  /** Whether the text's weights are packed by now: `packing` says when they are. */
  get isPacked(): boolean {
    return this.#decoded >= this.packing.after;
  }

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
    return newStore(this.config, capacity);
  }

  /** A picture's embedding, where it is known and no adapter changes it. */
  readonly find: FindEmbedding = (image) =>
    this.#isAdapted('vision') ? undefined : this.#embedder.find(image);

  /** What a person should know of the pictures that are kept, since the last call. */
  takeNotices(): string[] {
    return this.#embedder.takeNotices();
  }

  /** For each picture, [m, D]: what the text is given for its tokens. */
  async embed(images: readonly SampleImage[]): Promise<Float32Array[]> {
    if (!this.#isAdapted('vision')) return this.#embedder.embed(images);
    const { session, weights } = await this.#part('vision');
    const embeddings: Float32Array[] = [];
    for (const image of images) embeddings.push(await embedImage(session, image, this.config, weights));
    return embeddings;
  }

  async read(
    store: KeyValueStore,
    readings: readonly Reading[],
    embeddings: readonly Float32Array[] = [],
  ): Promise<Float32Array[]> {
    if (readings.every(({ ids }) => ids.length === 1)) this.#decoded++;
    const part = await this.#part('text');
    return readTogether({ ...part, config: this.config }, store, readings, embeddings);
  }

  async close(): Promise<void> {
    for (const part of Object.values(this.#open)) await part.session.close();
    if (this.#ownsEmbedder) await this.#embedder.close();
  }

  /**
   * A part opens without places for an adapter until one needs them, and mapped until packing pays; it keeps both from
   * then on.
   */
  async #part(part: Part) {
    const known = this.#open[part];
    const hasSlots = this.#isAdapted(part) || known?.hasSlots === true;
    const packed = part === 'text' && this.isPacked;
    if (known?.hasSlots !== hasSlots || known.packed !== packed) {
      await known?.session.close(); // before the next one, so that no copy stands beside another
      this.#open[part] = { session: this.#session(part, { hasSlots, packed }), hasSlots, packed };
    }
    return { session: this.#open[part]!.session, weights: hasSlots ? this.#weights(part) : [] };
  }

  #isAdapted(part: Part): boolean {
    return this.#modules[part].some(({ name }) => this.#adapter?.config.targetModules.includes(name));
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

  #session(part: Part, { hasSlots, packed }: Omit<OpenPart, 'session'>): LazySession {
    const { parameters, lora } = addSlots(this.#parameters, hasSlots ? this.#modules[part] : []);
    const model = { config: this.config, parameters, lora, recompute: false };
    const build = part === 'text' ? cachedGraph : visionGraph;
    return new LazySession(() => build(model), { target: 'cpu', threads: this.threads, pack: packed });
  }
}

async function embedderOf(
  model: ModelDefinition,
  { modelDir, threads = physicalCores(), cache: settings, embedder }: CachedModelOptions,
): Promise<ImageEmbedder> {
  if (embedder) return embedder;
  const session = { target: 'cpu' as const, threads };
  if (!settings) return plainCache(model, session).embedder;
  return (await openVisionCache(model, session, { modelDir, settings, policy: 'recent' })).embedder;
}
