/** One model under examination: what right answers cost it, and what it answers itself. */
import type { Config } from '../config/schema.ts';
import type { Turn } from '../data/example.ts';
import { PrefixFinder } from '../data/shared-prefix.ts';
import { type Answer, Engine } from '../generate/engine.ts';
import { type CompiledModel, compileStep } from '../train/compile.ts';
import type { RowSize } from '../train/course.ts';
import type { FindEmbedding } from '../train/encoder.ts';
import { scoreRows } from '../train/evaluate.ts';
import type { ImageEmbedder } from '../train/image-embedder.ts';
import type { ScoredRow } from '../train/score.ts';
import { createSource } from '../train/source.ts';
import type { CompiledStep, Sample } from '../train/step.ts';
import { type AskingOptions, likeliestAnswers } from './asking.ts';
import type { Contestant } from './contestant.ts';

interface Options extends AskingOptions {
  maxTokens: number;
  shareImages: boolean;
}

export class Examinee {
  readonly #engine: Engine;
  readonly #step: Pick<CompiledStep, 'evaluate' | 'close'>;
  /** Absent where an adapter changes the vision tower. */
  readonly #embedder?: ImageEmbedder;
  readonly #options: Options;

  private constructor(engine: Engine, step: CompiledModel, options: Options) {
    this.#engine = engine;
    this.#step = step;
    this.#embedder = step.vision?.embedder;
    this.#options = options;
  }

  static async open(
    { image, train, pack, cache }: Config,
    { model, adapter }: Contestant,
    options: AskingOptions,
  ): Promise<Examinee> {
    const { threads, seed } = train;
    const step = await compileStep({
      modelDir: model,
      adapterDir: adapter,
      recompute: false,
      threads,
      seed,
      cache,
      cachePolicy: 'recent', // a picture comes for its losses and soon again for its answers, and then no more
    });
    const engine = await Engine.open({ model, adapter, image, threads }, step.vision?.embedder);
    return new Examinee(engine, step, { ...options, ...pack });
  }

  /** The loss of every label token, by the path that evaluations in training take. Nothing where it was stopped. */
  async losses(samples: readonly Sample[]): Promise<ScoredRow<string>[] | undefined> {
    const sizes = sizesOf(samples, this.#options);
    const load = async (index: number) => samples[index];
    await this.#embedder?.embed(samples.flatMap(({ images }) => images));
    const part = {
      split: 'rows',
      source: createSource(sizes, { load, lookAheadBytes: 0 }),
      indices: [...samples.keys()],
    };
    const { maxTokens, stopped } = this.#options;
    const scoring = scoreRows(this.#step, [part], { maxTokens, step: 0, stopped });
    let next = await scoring.next();
    while (!next.done) next = await scoring.next();
    return next.value;
  }

  /** A picture's embedding, where it is known. */
  get find(): FindEmbedding | undefined {
    return this.#embedder?.find;
  }

  /** What a person should know of the pictures that are kept, since the last call. */
  takeNotices(): string[] {
    return this.#embedder?.takeNotices() ?? [];
  }

  /** The likeliest answers. Questions about the same pictures share their reading. */
  answers(prompts: readonly Turn[][]): Promise<Answer[]> {
    return likeliestAnswers(this.#engine, prompts, this.#options);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#step.close();
  }
}

function sizesOf(samples: readonly Sample[], { shareImages }: Options): RowSize[] {
  const finder = new PrefixFinder();
  for (const { encoded, images } of samples)
    finder.add(
      encoded,
      images.map(({ content }) => content),
    );
  const prefixes = shareImages ? finder.prefixes() : [];
  return samples.map(({ encoded }, i) => ({
    tokens: encoded.ids.length,
    labelTokens: 0,
    pixelBytes: 0, // they are in memory already
    prefix: prefixes[i],
  }));
}
