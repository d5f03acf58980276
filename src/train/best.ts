/** Which evaluation was the best so far, and how long ago that was. */
import { type BestMetric, metricDirections } from '../config/best-metrics.ts';
import type { Best, Evaluation } from './events.ts';

/** Plain data, so that it can be kept and gone on from. */
export interface Standing {
  best: Best | null;
  /** Evaluations since then that were no better. */
  since: number;
}

export const noneYet: Standing = { best: null, since: 0 };

/**
 * After one more evaluation. Only what is strictly better is the best; of equals the first stays. An evaluation without
 * that figure (no content token in any answer, no row that could be answered) changes nothing.
 */
export function standingAfter(
  { best, since }: Standing,
  evaluation: Evaluation,
  metric: BestMetric,
): Standing {
  const value = figureOf(evaluation, metric);
  if (value === undefined) return { best, since };
  if (best && !isBetter(value, best.value, metric)) return { best, since: since + 1 };
  return { best: { step: evaluation.step, loss: evaluation.loss, metric, value }, since: 0 };
}

function isBetter(value: number, than: number, metric: BestMetric): boolean {
  return metricDirections[metric] === 'higher' ? value > than : value < than;
}

/** Nothing where the evaluation has no such figure, or one that is no number. */
export function figureOf(evaluation: Evaluation, metric: BestMetric): number | undefined {
  const figure = readers[metric](evaluation);
  return typeof figure === 'number' && Number.isFinite(figure) ? figure : undefined;
}

const readers: Record<BestMetric, (evaluation: Evaluation) => number | null | undefined> = {
  loss: ({ loss }) => loss,
  answerLoss: ({ answerLoss }) => answerLoss,
  tokenAccuracy: ({ tokenAccuracy }) => tokenAccuracy,
  exactMatch: ({ exactMatch }) => exactMatch,
  calibrationError: ({ calibrationError }) => calibrationError,
  'answers.exactMatch': ({ answers }) => answers?.exactMatch,
  'answers.f1': ({ answers }) => answers?.f1,
};
