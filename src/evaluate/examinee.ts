/** One model under examination: what right answers cost it, and what it answers itself. */
import type { Config } from '../config/schema.ts';
import type { Turn } from '../data/example.ts';
import { type Answer, Engine } from '../generate/engine.ts';
import { compileStep } from '../train/compile.ts';
import { scoreRows } from '../train/evaluate.ts';
import type { ScoredRow } from '../train/score.ts';
import { createSource } from '../train/source.ts';
import type { CompiledStep, Sample } from '../train/step.ts';
import { type AskingOptions, likeliestAnswers } from './asking.ts';
import type { Contestant } from './contestant.ts';

interface Options extends AskingOptions {
  packTokens: number;
}

export class Examinee {
  readonly #engine: Engine;
  readonly #step: Pick<CompiledStep, 'evaluate' | 'close'>;
  readonly #options: Options;

  private constructor(engine: Engine, step: CompiledStep, options: Options) {
    this.#engine = engine;
    this.#step = step;
    this.#options = options;
  }

  static async open(
    { image, train }: Config,
    { model, adapter }: Contestant,
    options: AskingOptions,
  ): Promise<Examinee> {
    const { threads, seed, packTokens } = train;
    const step = await compileStep({ modelDir: model, adapterDir: adapter, recompute: false, threads, seed });
    const engine = await Engine.open({ model, adapter, image, threads });
    return new Examinee(engine, step, { ...options, packTokens });
  }

  /** The loss of every label token, by the path that evaluations in training take. Nothing where it was stopped. */
  async losses(samples: readonly Sample[]): Promise<ScoredRow<string>[] | undefined> {
    const sizes = samples.map(({ encoded, patches }) => ({
      tokens: encoded.ids.length,
      labelTokens: 0,
      pixelBytes: patches.reduce((sum, { byteLength }) => sum + byteLength, 0),
    }));
    const load = async (index: number) => samples[index];
    const part = {
      split: 'rows',
      source: createSource(sizes, { load, lookAheadBytes: 0 }),
      indices: [...samples.keys()],
    };
    const { packTokens, stopped } = this.#options;
    const scoring = scoreRows(this.#step, [part], { packTokens, step: 0, stopped });
    let next = await scoring.next();
    while (!next.done) next = await scoring.next();
    return next.value;
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
