/** `metrics.jsonl`: an event a line, each value looked at before anything is drawn from it. */
import { z } from 'zod';
import { bestMetrics } from '../config/best-metrics.ts';
import { own } from '../data/rows/own.ts';
import type { BaselineEvent } from '../train/events.ts';
import { eachLine } from './bounded-files.ts';
import { LineAccount } from './line-account.ts';
import type { EvaluationPoint, FinishPoint, RunStory, StepPoint, WarningPoint } from './run-story.ts';

/** Longest line and longest file that are read: a step's line has 300 bytes, a million of them 300 MB. */
const limits = { lineLimit: 64 * 1024, byteLimit: 512 * 2 ** 20 };

const number = z.number();
const step = z.int().min(0);
/** What cannot be read of a line is left out of it; the line counts by what it must have. */
const maybe = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

const scores = z.object({
  loss: number,
  rows: number,
  tokens: number,
  tokenAccuracy: number,
  exactMatch: number,
  answerLoss: number.nullable(),
  calibrationError: number,
});
const interval = z.object({ value: number, low: number, high: number });

const answers = z.object({
  rows: number,
  answers: number,
  exactMatch: number,
  interval: z.object({ low: number, high: number }).nullable(),
  f1: number,
  floor: number,
  cut: number,
  seconds: number,
});
/** Before `train.bestBy` there was one way to be the best. */
const best = z
  .object({ step, loss: number, metric: maybe(z.enum(bestMetrics)), value: maybe(number) })
  .transform(({ metric = 'loss', value, ...found }) => ({ ...found, metric, value: value ?? found.loss }));

const stepLine = z.object({
  type: z.literal('step'),
  step,
  loss: number,
  epoch: maybe(number),
  gradNorm: maybe(number),
  learningRate: maybe(number),
  labelTokens: maybe(number),
  rows: maybe(number),
  pictures: maybe(number),
  rowTokens: maybe(number),
  tokens: maybe(number),
  tokensPerSecond: maybe(number),
  secondsLeft: maybe(number),
  seconds: maybe(number),
  memory: maybe(number),
});
const warningLine = z.object({
  type: z.literal('warning'),
  kind: z.enum(['not-finite', 'explosion', 'stuck']),
  step,
  applied: z.boolean(),
  rows: z.array(z.object({ row: step, loss: number.nullable() })).max(4096),
});
const evaluateLine = z.object({
  type: z.literal('evaluate'),
  step,
  loss: number,
  rows: maybe(number),
  tokens: maybe(number),
  tokenAccuracy: maybe(number),
  exactMatch: maybe(number),
  answerLoss: maybe(number.nullable()),
  calibrationError: maybe(number),
  train: maybe(scores),
  gap: maybe(interval),
  answers: maybe(answers),
  best: maybe(z.boolean()),
  seconds: maybe(number),
});
const baselineLine = scores.extend({
  type: z.literal('baseline'),
  step: z.literal(0),
  train: maybe(scores),
  gap: maybe(interval),
  answers: maybe(answers),
  seconds: number,
});
export const finishLine = z.object({
  type: z.literal('finish'),
  status: z.enum(['finished', 'stopped']),
  step,
  totalSteps: maybe(step),
  best: maybe(best.nullable()),
  stoppedEarly: maybe(z.object({ patience: step, bestStep: step })),
  seconds: maybe(number),
  peakMemory: maybe(number),
  pictures: maybe(z.object({ computed: number, fromMemory: number, fromDisk: number, replaced: number })),
});

export interface Metrics extends Pick<RunStory, 'baseline' | 'steps' | 'evaluations' | 'finish'> {
  warnings: WarningPoint[];
  /** Sentences. */
  missing: string[];
}

/** Reads the file; throws `Unreadable` where there is none. */
export function readMetrics(file: string): Metrics {
  const metrics: Metrics = { steps: [], evaluations: [], warnings: [], missing: [] };
  const account = new LineAccount();
  const read = eachLine(file, limits, (line, isLast) => {
    const event = account.parsed(line, isLast);
    if (event === undefined) return;
    const type = own(event, 'type');
    const take = typeof type === 'string' ? takers.get(type) : undefined;
    if (take) account.told(take(metrics, event));
    else account.unknown(type);
  });
  metrics.steps = inOrder(metrics.steps);
  metrics.evaluations = inOrder(metrics.evaluations);
  metrics.missing = account.sentences('metrics.jsonl', read);
  return metrics;
}

type Taker = (metrics: Metrics, event: object) => boolean;

/** Puts what a schema makes of an event where it belongs; false where the event is not what its type promises. */
function taker<T>(schema: z.ZodType<T>, put: (metrics: Metrics, event: T) => void): Taker {
  return (metrics, event) => {
    const { success, data } = schema.safeParse(event);
    if (success) put(metrics, data);
    return success;
  };
}

const takers = new Map<string, Taker>([
  ['step', taker<StepPoint>(stepLine, ({ steps }, event) => steps.push(event))],
  ['warning', taker<WarningPoint>(warningLine, ({ warnings }, event) => warnings.push(event))],
  ['evaluate', taker<EvaluationPoint>(evaluateLine, ({ evaluations }, event) => evaluations.push(event))],
  [
    'baseline',
    taker<BaselineEvent>(baselineLine, (metrics, event) => Object.assign(metrics, { baseline: event })),
  ],
  ['finish', taker<FinishPoint>(finishLine, (metrics, event) => Object.assign(metrics, { finish: event }))],
]);

/** By step, each step once: of two lines the later one counts. */
export function inOrder<T extends { step: number }>(points: T[]): T[] {
  const isOrdered = points.every((point, i) => i === 0 || points[i - 1].step < point.step);
  if (isOrdered) return points;
  return [...new Map(points.map((point) => [point.step, point])).values()].sort((a, b) => a.step - b.step);
}
