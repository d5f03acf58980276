import type { ScoringEvent, Split } from './events.ts';
import { finiteLoss } from './gradients.ts';
import { microBatches } from './micro-batches.ts';
import { type ScoredRow, scoredRow } from './score.ts';
import { startScoringClock } from './scoring-clock.ts';
import type { SampleSource } from './source.ts';
import type { CompiledStep } from './step.ts';

/** Rows to score, in this order. */
export interface ScoringPart<S extends string = Split> {
  split: S;
  source: SampleSource;
  /** Of the source's rows. */
  indices: number[];
}

export interface ScoringOptions {
  /** Tokens of rows that run together, at most. */
  maxTokens: number;
  /** The step that errors and progress name; 0 is before the first. */
  step: number;
  stopped: () => boolean;
}

/** Puts rows through the model without dropout, in their order; gives nothing where it was stopped on the way. */
export async function* scoreRows<S extends string = Split>(
  model: Pick<CompiledStep, 'evaluate'>,
  parts: readonly ScoringPart<S>[],
  { maxTokens, step, stopped }: ScoringOptions,
): AsyncGenerator<ScoringEvent, ScoredRow<S>[] | undefined> {
  const scored: ScoredRow<S>[] = [];
  const totalRows = parts.reduce((sum, { indices }) => sum + indices.length, 0);
  const tick = startScoringClock({ step, part: 'losses', totalRows });
  let rows = 0;
  for (const { split, source, indices } of parts) {
    const batches = microBatches(indices, source.sizes, maxTokens);
    const byIndex = new Map<number, ScoredRow<S>>();
    let batch = 0;
    for await (const samples of source.stream(batches)) {
      if (stopped()) return undefined;
      rows += batches[batch++].length;
      const results = samples.length > 0 ? await model.evaluate(samples) : [];
      samples.forEach((sample, i) => {
        finiteLoss(sample, results[i].losses, { step, file: source.file });
        byIndex.set(sample.index, scoredRow(split, sample.encoded, results[i]));
      });
      const event = tick(rows);
      if (event) yield event;
    }
    scored.push(...indices.flatMap((index) => byIndex.get(index) ?? []));
  }
  return scored;
}
