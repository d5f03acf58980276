import type { LorikeetError } from '../errors.ts';
import { adamwStep, createAdamW } from '../optim/adamw.ts';
import { learningRate, type Schedule } from '../optim/schedule.ts';
import { type CourseStep, computedTokens } from './course.ts';
import { type ScoringPart, scoreRows } from './evaluate.ts';
import type {
  BaselineEvent,
  EstimateEvent,
  EvaluateEvent,
  Evaluation,
  FinishEvent,
  ScoringEvent,
  StepEvent,
  WarningEvent,
} from './events.ts';
import { gapOf } from './gap.ts';
import {
  addGradients,
  clearGradientSum,
  createGradientSum,
  finishGradients,
  type GradientSum,
} from './gradients.ts';
import { microBatches } from './micro-batches.ts';
import {
  isLeftOut,
  leaveOut,
  lookAtStep,
  type NumbersPolicy,
  type NumbersState,
  startNumbers,
} from './numbers.ts';
import { createPace, type Pace } from './pace.ts';
import { type ScoredRow, scoresOf } from './score.ts';
import { SeenRows } from './sharing.ts';
import type { LoadedSample, SampleSource } from './source.ts';
import type { CompiledStep } from './step.ts';
import type { VisionAccount } from './vision-account.ts';

export type LoopEvent =
  | EstimateEvent
  | StepEvent
  | WarningEvent
  | ScoringEvent
  | ScoredEvent
  | BaselineEvent
  | EvaluateEvent
  | FinishEvent;

/** What an evaluation saw row by row, just before it is told: for the run folder alone. */
export interface ScoredEvent {
  type: 'scored';
  step: number;
  rows: ScoredRow[];
}

export interface LoopSettings {
  totalSteps: number;
  learningRate: number;
  schedule: Schedule;
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
  /** Steps between evaluations. */
  evaluateEvery: number;
  /** Whether the validation data is scored before step 1 too. */
  evaluateStart: boolean;
  /** Micro-batches of an evaluation hold as many rows as fit here. */
  maxTokens: number;
  seed: number;
  recompute: boolean;
  /** What is done about numbers that go wrong; without it a number that is not finite ends the run. */
  numbers?: NumbersPolicy;
}

export interface LoopInput {
  step: CompiledStep;
  train: SampleSource;
  validation?: SampleSource;
  /** Rows of `train` that every evaluation scores beside the validation data. */
  gapRows: number[];
  /** The steps ahead; walked twice, once to load and once to train. */
  course: () => Iterable<CourseStep>;
  settings: LoopSettings;
  /** Of the pictures; absent where the vision tower is part of the step. */
  vision?: VisionAccount;
  /** Asked at every step boundary, and between the micro-batches of an evaluation. */
  stopped: () => boolean;
  /** Asked between micro-batches: the run then ends without a word, as it is. */
  abandoned?: () => boolean;
}

/** What changes from step to step. */
interface LoopState {
  input: LoopInput;
  sum: GradientSum;
  optimizer: ReturnType<typeof createAdamW>;
  pace: Pace;
  numbers: NumbersState;
  started: number;
  best: FinishEvent['best'];
  /** Everything that the run promised is done. */
  complete: boolean;
}

/**
 * Trains step by step: gradients of the summed label losses over the step's micro-batches, divided by the
 * step's label count, clipped by global norm, AdamW. While an event is being looked at nothing moves, so the
 * parameters then are those it speaks of. A row that its source skips is left out of sum and count alike; a step
 * that loses all of its rows changes nothing and has no event. Throws `training` where a loss or gradient is not finite, unless
 * `settings.numbers` leaves such a step out; the parameters are then those of the last good step.
 */
export async function* trainingLoop(input: LoopInput): AsyncGenerator<LoopEvent> {
  const { settings, validation, stopped } = input;
  const state = startState(input);
  let done = 0;
  if (validation && settings.evaluateStart && !stopped()) {
    const evaluation = yield* evaluateAt(state, validation, 0);
    if (evaluation) yield { type: 'baseline', ...evaluation, step: 0 };
  }
  const batches = input.train.stream(batchesOf(input.course()));
  try {
    for (const next of input.course()) {
      if (stopped()) break;
      yield* trainStep(state, next, batches);
      done = next.step;
      state.complete = done === settings.totalSteps;
      if (validation && (done % settings.evaluateEvery === 0 || done === settings.totalSteps)) {
        yield* evaluateStep(state, validation, done);
      }
    }
  } finally {
    await batches.return(undefined);
  }
  if (input.abandoned?.()) return;
  yield {
    type: 'finish',
    status: state.complete ? 'finished' : 'stopped',
    step: done,
    totalSteps: settings.totalSteps,
    best: state.best,
    seconds: secondsSince(state.started),
    peakMemory: process.resourceUsage().maxRSS * 1024, // told in KiB
    ...(input.vision && { pictures: input.vision.facts }),
  };
}

function startState(input: LoopInput): LoopState {
  const { settings, validation, train, gapRows } = input;
  let tokens = 0;
  for (const { batches } of input.course()) tokens += computedTokens(batches, train.sizes);
  const scored = ({ sizes }: SampleSource, rows: number[]) =>
    computedTokens(microBatches(rows, sizes, settings.maxTokens), sizes);
  const pace = createPace({
    tokens,
    evaluations: validation
      ? Math.ceil(settings.totalSteps / settings.evaluateEvery) + Number(settings.evaluateStart)
      : 0,
    tokensPerEvaluation:
      (validation ? scored(validation, [...validation.sizes.keys()]) : 0) + scored(train, gapRows),
    // Frozen weights ask for a forward and one pass back, and recompute for a second forward.
    evaluationShare: settings.recompute ? 1 / 3 : 1 / 2,
    secondsBeside: input.vision && (() => input.vision!.secondsLeft()),
  });
  return {
    input,
    sum: createGradientSum(input.step.trainables),
    optimizer: createAdamW({ weightDecay: settings.weightDecay }),
    pace,
    numbers: startNumbers(),
    started: performance.now(),
    best: null,
    complete: false,
  };
}

async function* trainStep(
  state: LoopState,
  { step, epoch, batches }: CourseStep,
  samplesAhead: ReturnType<SampleSource['stream']>,
): AsyncGenerator<EstimateEvent | StepEvent | WarningEvent> {
  const { input, sum, pace } = state;
  const { settings, train } = input;
  clearGradientSum(sum);
  const address = { seed: settings.seed, step };
  const seen = new SeenRows(train.sizes);
  let lost: LorikeetError | undefined;
  for (const [i, batch] of batches.entries()) {
    if (input.abandoned?.()) return;
    let elapsed = stopwatch(input.vision);
    const samples: LoadedSample[] = (await samplesAhead.next()).value!;
    const computed = lost ? 0 : seen.add(samples.map(({ index }) => index));
    pace.skipped(computedTokens([batch], train.sizes) - computed);
    if (samples.length === 0 || lost) continue;
    if (step === 1 && batches.length === 1) {
      // The first run also pays for what is made once; where it is the only one to measure, it runs twice.
      await input.step.gradients(samples, address);
      elapsed = stopwatch(input.vision);
    }
    const result = await input.step.gradients(samples, address);
    try {
      addGradients(sum, samples, result, { step, file: train.file });
    } catch (error) {
      if (!isLeftOut(error, settings.numbers)) throw error;
      lost = error;
    }
    pace.trained(computed, elapsed());
    if (step === 1 && i === Math.min(1, batches.length - 1)) yield estimateOf(state);
  }
  if (lost) {
    yield leaveOut(state.numbers, lost);
    return;
  }
  const { labelTokens } = sum;
  if (labelTokens === 0) return; // every row of it was skipped: nothing to learn from, no event to tell
  const rate = rateOf(settings, step);
  const { gradients, norm: gradNorm } = finishGradients(sum, settings.maxGradNorm);
  const loss = sum.loss / labelTokens;
  const figures = { step, loss, norm: gradNorm, rows: sum.rows, file: train.file };
  const { apply, warnings } = settings.numbers
    ? lookAtStep(state.numbers, settings.numbers, figures)
    : { apply: true, warnings: [] };
  if (apply) adamwStep(state.optimizer, input.step.trainables, gradients, rate);
  yield {
    type: 'step',
    step,
    epoch,
    loss,
    gradNorm,
    learningRate: rate,
    labelTokens,
    ...seen.facts(),
    tokensPerSecond: pace.tokensPerSecond(),
    secondsLeft: pace.secondsLeft(),
    seconds: secondsSince(state.started),
    memory: process.memoryUsage.rss(),
  };
  yield* warnings;
}

/** Tells nothing where the run was stopped in the middle of it. */
async function* evaluateStep(
  state: LoopState,
  validation: SampleSource,
  step: number,
): AsyncGenerator<ScoringEvent | ScoredEvent | EvaluateEvent> {
  const evaluation = yield* evaluateAt(state, validation, step);
  if (!evaluation) {
    state.complete = false;
    return;
  }
  const best = state.best === null || evaluation.loss < state.best.loss;
  if (best) state.best = { step, loss: evaluation.loss };
  yield { type: 'evaluate', ...evaluation, best };
}

/** The model as it is after `step`, on the validation data and on the training rows that are held beside it. */
async function* evaluateAt(
  { input, pace }: LoopState,
  validation: SampleSource,
  step: number,
): AsyncGenerator<ScoringEvent | ScoredEvent, Evaluation | undefined> {
  const begun = performance.now();
  const elapsed = stopwatch(input.vision);
  const { settings, gapRows, stopped } = input;
  const parts: ScoringPart[] = [
    { split: 'validation', source: validation, indices: [...validation.sizes.keys()] },
    { split: 'train', source: input.train, indices: gapRows },
  ];
  const rows = yield* scoreRows(input.step, parts, { maxTokens: settings.maxTokens, step, stopped });
  if (!rows) return undefined;
  yield { type: 'scored', step, rows };
  const [held, seen] = parts.map(({ split }) => rows.filter((row) => row.split === split));
  const seconds = secondsSince(begun);
  pace.evaluated(elapsed());
  return {
    step,
    ...scoresOf(held),
    ...(seen.length > 0 && { train: scoresOf(seen), gap: gapOf(held, seen, settings.seed) }),
    seconds,
  };
}

function estimateOf({ pace, started }: LoopState): EstimateEvent {
  return {
    type: 'estimate',
    totalSeconds: secondsSince(started) + pace.secondsLeft(),
    tokensPerSecond: pace.tokensPerSecond(),
  };
}

function rateOf(
  { schedule, learningRate: base, totalSteps, warmupSteps }: LoopSettings,
  step: number,
): number {
  return learningRate(schedule, step - 1, { base, totalSteps, warmupSteps });
}

function* batchesOf(steps: Iterable<CourseStep>): Generator<number[]> {
  for (const { batches } of steps) yield* batches;
}

/** Seconds from now on, those in the vision tower left out: they are not what a token costs. */
function stopwatch(vision: VisionAccount | undefined): () => number {
  const begun = performance.now();
  const before = vision?.seconds ?? 0;
  return () => secondsSince(begun) - ((vision?.seconds ?? 0) - before);
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
