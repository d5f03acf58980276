import { packRows } from './course.ts';
import { finiteLoss } from './gradients.ts';
import { addSample, emptyTally, type Score, scoreOf } from './score.ts';
import type { SampleSource } from './source.ts';
import type { CompiledStep } from './step.ts';

export interface EvaluateOptions {
  packTokens: number;
  /** The step that errors name. */
  at: number;
  stopped: () => boolean;
}

/** The whole split through the model, in the file's order; nothing where it was stopped on the way. */
export async function evaluate(
  step: Pick<CompiledStep, 'evaluate'>,
  source: SampleSource,
  options: EvaluateOptions,
): Promise<Score | undefined> {
  const batches = packRows([...source.sizes.keys()], source.sizes, options.packTokens);
  const tally = emptyTally();
  for await (const samples of source.stream(batches)) {
    if (options.stopped()) return undefined;
    if (samples.length === 0) continue;
    const results = await step.evaluate(samples);
    samples.forEach((sample, i) => {
      finiteLoss(sample, results[i].losses, { step: options.at, file: source.file });
      addSample(tally, sample.encoded, results[i]);
    });
  }
  return scoreOf(tally);
}
