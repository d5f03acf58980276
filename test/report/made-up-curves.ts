import { stream } from '../../src/random.ts';
import type { RunStory } from '../../src/report/run-story.ts';
import type { RowScore } from '../../src/train/row-scores.ts';
import { generatedRun } from './generated-run.ts';

/** A curve over the run's course, t from 0 to 1. */
type Curve = (t: number) => number;

export interface Curves {
  /** Training loss. */
  train: Curve;
  validation?: Curve;
  /** Loss of the scored training rows; default: validation less 0.03. */
  scored?: Curve;
  norm?: Curve;
  /** Share of the training loss that a step scatters by. */
  noise?: number;
  /** That of one evaluation, in nats. */
  evaluationNoise?: number;
  /** Half the width of the gap's interval. */
  gapWidth?: number;
  steps?: number;
  evaluations?: number;
}

/** A finished run's story with these curves, and with everything else as `changes` says. */
export function storyOf(curves: Curves, changes: Partial<RunStory> = {}, seed = 1): RunStory {
  const { train, validation, scored, norm = () => 0.6 } = curves;
  const { noise = 0.15, evaluationNoise = 0.005, steps = 200, evaluations = 12 } = curves;
  const { gapWidth = Math.max(0.05, 3 * evaluationNoise) } = curves;
  const draws = stream(seed, 'curves');
  const { record } = generatedRun();
  return {
    folder: '/runs/first',
    name: 'first',
    source: 'lorikeet',
    status: 'finished',
    record: { ...record, totalSteps: steps },
    steps: Array.from({ length: steps }, (_, s) => ({
      step: s + 1,
      loss: Math.max(0, train(s / steps) * (1 + noise * draws.normal())),
      gradNorm: norm(s / steps) * Math.exp(0.3 * draws.normal()),
    })),
    evaluations: validation
      ? Array.from({ length: evaluations }, (_, e) => {
          const t = (e + 1) / evaluations;
          const loss = validation(t) + evaluationNoise * draws.normal();
          const seen = (scored?.(t) ?? validation(t) - 0.03) + evaluationNoise * draws.normal();
          const value = loss - seen;
          return {
            step: Math.round(t * steps),
            loss,
            answerLoss: 1.3 * loss,
            train: {
              loss: seen,
              rows: 100,
              tokens: 600,
              tokenAccuracy: 0.8,
              exactMatch: 0.5,
              answerLoss: 1.3 * seen,
              calibrationError: 0.03,
            },
            gap: { value, low: value - gapWidth, high: value + gapWidth },
          };
        })
      : [],
    scores: { start: [], last: [] },
    picture: () => undefined,
    missing: [],
    unknown: [],
    ...changes,
  };
}

export function baselineAt(
  loss: number,
  gap?: { value: number; low: number; high: number },
): RunStory['baseline'] {
  return {
    type: 'baseline',
    step: 0,
    loss,
    rows: 100,
    tokens: 600,
    tokenAccuracy: 0.4,
    exactMatch: 0.1,
    answerLoss: 1.3 * loss,
    calibrationError: 0.1,
    ...(gap && { gap }),
    seconds: 3,
  };
}

/** Validation rows of one answer token and one end token each, whose losses scatter around `loss`. */
export function rowsAround(loss: number, scatter: number, rows = 60, seed = 1): RowScore[] {
  const draws = stream(seed, 'rows');
  return Array.from({ length: rows }, (_, row) => ({
    step: 200,
    split: 'validation',
    row,
    images: [`${row}.png`],
    question: 'Is there a polyp?',
    tokens: (['answer', 'end'] as const).map((kind) => ({
      text: kind === 'end' ? '<|im_end|>' : 'Yes',
      kind,
      loss: Math.max(0, loss + scatter * draws.normal()),
      hit: true,
      top: 0.8,
    })),
  }));
}
