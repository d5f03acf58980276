import type { BestMetric } from '../config/best-metrics.ts';
import { withPlace } from '../data/place.ts';
import { LorikeetError } from '../errors.ts';
import { type AdamWState, adamwStep, createAdamW } from '../optim/adamw.ts';
import { learningRate, type Schedule } from '../optim/schedule.ts';
import type { AnswerRows } from './answers.ts';
import { standingAfter } from './best.ts';
import { type CourseStep, computedTokens } from './course.ts';
import { type ScoringPart, scoreRows } from './evaluate.ts';
import type {
  BaselineEvent,
  EarlyStop,
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
import { isLeftOut, leaveOut, lookAtStep, type NumbersPolicy } from './numbers.ts';
import { createPace, type Pace, tokensToAnswer } from './pace.ts';
import { type ScoredRow, scoresOf } from './score.ts';
import { SeenRows } from './sharing.ts';
import type { LoadedSample, SampleSource } from './source.ts';
import type { CompiledStep, Gradients, Sample } from './step.ts';
import { freshState, type Interrupted, type TrainingState } from './training-state.ts';
import type { VisionAccount } from './vision-account.ts';

export type LoopEvent =
  | EstimateEvent
  | StepEvent
  | WarningEvent
  | ScoringEvent
  | ScoredEvent
  | SaveEvent
  | BaselineEvent
  | EvaluateEvent
  | FinishEvent;

/** What an evaluation saw row by row, just before it is told: for the run folder alone. */
export interface ScoredEvent {
  type: 'scored';
  step: number;
  rows: ScoredRow[];
}

/** The moment to keep a checkpoint: for the run folder alone. */
export interface SaveEvent extends Interrupted {
  type: 'save';
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
  /** What chooses the best evaluation. */
  bestBy: BestMetric;
  /** Evaluations in a row that may be no better than the best; the run ends at the last of them. */
  patience?: number;
  /** Micro-batches of an evaluation hold as many rows as fit here. */
  maxTokens: number;
  seed: number;
  recompute: boolean;
  /** What is done about numbers that go wrong; without it a number that is not finite ends the run. */
  numbers?: NumbersPolicy;
  /** Steps between checkpoints; 0 keeps none. Without it one is kept at the first step boundary after ten minutes. */
  saveEvery?: number;
}

export interface LoopInput {
  step: CompiledStep;
  train: SampleSource;
  validation?: SampleSource;
  /** Rows of `train` that every evaluation scores beside the validation data. */
  gapRows: number[];
  /** Validation rows that every evaluation answers. */
  answers?: AnswerRows;
  /** The steps ahead; walked twice, once to load and once to train. */
  course: () => Iterable<CourseStep>;
  settings: LoopSettings;
  /** Of the pictures; absent where the vision tower is part of the step. */
  vision?: VisionAccount;
  /** Asked between micro-batches, of steps and of evaluations. */
  stopped: () => boolean;
  /** The same, but the run then ends without a word, as it is. */
  abandoned?: () => boolean;
  /** Where an interrupted run goes on; the step's parameters are then those of that moment. */
  interrupted?: Interrupted;
  /** Told before each graph run, for whoever must say what was under way when this thread died. */
  entering?: (step: number, rows: number[]) => void;
}

/** What changes from step to step. */
interface LoopState {
  input: LoopInput;
  sum: GradientSum;
  optimizer: AdamWState;
  pace: Pace;
  started: number;
  /** Seconds that the run had been training when it was interrupted. */
  secondsBefore: number;
  progress: TrainingState;
  /** The first step of this process, which also measures. */
  firstStep: number;
  savedAt: number;
  /** What the last checkpoint stood for. */
  saved: Pick<TrainingState, 'step' | 'evaluated'>;
  /** Everything that the run promised is done. */
  complete: boolean;
}

/** Milliseconds between checkpoints where nobody said how many steps. */
const saveInterval = 10 * 60 * 1000;

/**
 * Trains step by step: gradients of the summed label losses over the step's micro-batches, divided by the
 * step's label count, clipped by global norm, AdamW. While an event is being looked at nothing moves, so the
 * parameters then are those it speaks of. A row that its source skips is left out of sum and count alike; a step
 * that loses all of its rows changes nothing and has no event. Where it is stopped, the gradients of a step that is not
 * whole are dropped: it is done again on resume. Throws `training` where a loss or gradient is not finite, unless
 * `settings.numbers` leaves such a step out; the parameters are then those of the last good step.
 */
export async function* trainingLoop(input: LoopInput): AsyncGenerator<LoopEvent> {
  const state = startState(input);
  try {
    yield* walkCourse(state);
  } catch (error) {
    // What is wrong with the data can be mended and gone on from; numbers that went wrong would go wrong again.
    if (!(error instanceof LorikeetError && error.code === 'training')) yield* saveUnlessSaved(state);
    throw error;
  }
  if (input.abandoned?.()) return;
  if (!state.complete) yield* saveUnlessSaved(state);
  const stoppedEarly = earlyStopOf(state);
  yield {
    type: 'finish',
    status: state.complete ? 'finished' : 'stopped',
    step: state.progress.step,
    totalSteps: input.settings.totalSteps,
    best: state.progress.standing.best,
    ...(stoppedEarly && { stoppedEarly }),
    seconds: secondsOf(state),
    peakMemory: process.resourceUsage().maxRSS * 1024, // told in KiB
    ...(input.vision && { pictures: input.vision.facts }),
  };
}

async function* walkCourse(state: LoopState): AsyncGenerator<LoopEvent> {
  const { input, progress } = state;
  yield* evaluateFirst(state);
  if (state.complete) return;
  const batches = input.train.stream(batchesOf(stepsAhead(input)));
  try {
    for (const next of stepsAhead(input)) {
      if (input.stopped()) break;
      const whole = yield* trainStep(state, next, batches);
      if (!whole) break;
      progress.step = next.step;
      progress.seconds = secondsOf(state);
      if (isOwed(input, progress)) yield* evaluateStep(state, next.step);
      state.complete = isComplete(input, progress);
      if (state.complete) break;
      if (isSaveDue(state)) yield* saveUnlessSaved(state);
    }
  } finally {
    await batches.return(undefined);
  }
}

/** The evaluation before step 1, or the one that the interruption took away. */
async function* evaluateFirst(state: LoopState): AsyncGenerator<LoopEvent> {
  const { input, progress } = state;
  const { validation, stopped } = input;
  const isFirst = progress.step === 0 && progress.evaluated === null && input.settings.evaluateStart;
  if (!validation || !(isFirst || isOwed(input, progress)) || stopped()) return;
  if (!isFirst) {
    yield* evaluateStep(state, progress.step);
    state.complete = isComplete(input, progress);
    return;
  }
  const evaluation = yield* evaluateAt(state, validation, 0);
  if (!evaluation) return;
  progress.evaluated = 0;
  yield { type: 'baseline', ...evaluation, step: 0 };
}

/** Whether the step that was done last has yet to be evaluated. */
function isOwed({ validation, settings }: LoopInput, { step, evaluated }: TrainingState): boolean {
  if (!validation || step === 0 || (evaluated ?? 0) >= step) return false;
  return step % settings.evaluateEvery === 0 || step === settings.totalSteps;
}

function isComplete(input: LoopInput, progress: TrainingState): boolean {
  if (isOwed(input, progress)) return false;
  return progress.step === input.settings.totalSteps || isOutOfPatience(input, progress);
}

function isOutOfPatience({ settings: { patience } }: LoopInput, { standing }: TrainingState): boolean {
  return patience !== undefined && standing.since >= patience;
}

/** Where patience ran out before the last step, nothing was left undone. */
function earlyStopOf({ input, progress }: LoopState): EarlyStop | undefined {
  const { patience, totalSteps } = input.settings;
  if (!isOutOfPatience(input, progress) || progress.step === totalSteps) return undefined;
  return { patience: patience!, bestStep: progress.standing.best!.step };
}

function isSaveDue({ complete, progress, savedAt, input: { settings } }: LoopState): boolean {
  const { saveEvery } = settings;
  if (complete) return false;
  if (saveEvery !== undefined) return saveEvery > 0 && progress.step % saveEvery === 0;
  return performance.now() - savedAt >= saveInterval;
}

/** Nothing where no checkpoints are kept, and where the last one says all there is to say. */
function* saveUnlessSaved(state: LoopState): Generator<SaveEvent> {
  const { input, progress, saved } = state;
  if (input.settings.saveEvery === 0) return;
  if (progress.step === saved.step && progress.evaluated === saved.evaluated) return;
  progress.seconds = secondsOf(state);
  state.saved = { ...progress };
  yield { type: 'save', state: { ...progress }, optimizer: state.optimizer };
  state.savedAt = performance.now();
}

function* stepsAhead({ course, interrupted }: LoopInput): Generator<CourseStep> {
  const done = interrupted?.state.step ?? 0;
  for (const step of course()) if (step.step > done) yield step;
}

function startState(input: LoopInput): LoopState {
  const { settings, validation, train, gapRows, answers, interrupted } = input;
  const progress: TrainingState = { ...(interrupted?.state ?? freshState()) };
  let tokens = 0;
  for (const { batches } of stepsAhead(input)) tokens += computedTokens(batches, train.sizes);
  const scored = ({ sizes }: SampleSource, rows: number[]) =>
    computedTokens(microBatches(rows, sizes, settings.maxTokens), sizes);
  const answerTokens = validation && answers ? tokensToAnswer(answers.rows, validation.sizes) : 0;
  const pace = createPace({
    tokens,
    evaluations: evaluationsAhead(input, progress),
    tokensPerEvaluation:
      (validation ? scored(validation, [...validation.sizes.keys()]) : 0) +
      scored(train, gapRows) +
      answerTokens,
    // Frozen weights ask for a forward and one pass back, and recompute for a second forward.
    evaluationShare: settings.recompute ? 1 / 3 : 1 / 2,
    secondsBeside: input.vision && (() => input.vision!.secondsLeft()),
  });
  return {
    input,
    sum: createGradientSum(input.step.trainables),
    optimizer: interrupted?.optimizer ?? createAdamW({ weightDecay: settings.weightDecay }),
    pace,
    started: performance.now(),
    secondsBefore: progress.seconds,
    progress,
    firstStep: progress.step + 1,
    savedAt: performance.now(),
    saved: interrupted ? { ...progress } : { step: 0, evaluated: null },
    complete: isComplete(input, progress),
  };
}

function evaluationsAhead(input: LoopInput, progress: TrainingState): number {
  if (!input.validation) return 0;
  const { totalSteps, evaluateEvery, evaluateStart } = input.settings;
  const { step, evaluated } = progress;
  const first = Number(step === 0 && evaluated === null && evaluateStart) + Number(isOwed(input, progress));
  const between = Math.floor((totalSteps - 1) / evaluateEvery) - Math.floor(step / evaluateEvery);
  return first + Math.max(0, between) + Number(step < totalSteps);
}

/** Says whether the step is whole. */
async function* trainStep(
  state: LoopState,
  { step, epoch, batches }: CourseStep,
  samplesAhead: ReturnType<SampleSource['stream']>,
): AsyncGenerator<EstimateEvent | StepEvent | WarningEvent, boolean> {
  const { input, sum, pace, firstStep } = state;
  const { settings, train } = input;
  clearGradientSum(sum);
  const seen = new SeenRows(train.sizes);
  let lost: LorikeetError | undefined;
  for (const [i, batch] of batches.entries()) {
    if (input.abandoned?.() || (i > 0 && input.stopped())) return false;
    let elapsed = stopwatch(input.vision);
    const samples: LoadedSample[] = (await samplesAhead.next()).value!;
    const computed = lost ? 0 : seen.add(samples.map(({ index }) => index));
    pace.skipped(computedTokens([batch], train.sizes) - computed);
    if (samples.length === 0 || lost) continue;
    if (step === firstStep && batches.length === 1) {
      // The first run also pays for what is made once; where it is the only one to measure, it runs twice.
      await gradientsOf(input, samples, step);
      elapsed = stopwatch(input.vision);
    }
    const result = await gradientsOf(input, samples, step);
    try {
      addGradients(sum, samples, result, { step, file: train.file });
    } catch (error) {
      if (!isLeftOut(error, settings.numbers)) throw error;
      lost = error;
    }
    pace.trained(computed, elapsed());
    if (step === firstStep && i === Math.min(1, batches.length - 1)) yield estimateOf(state);
  }
  if (lost) {
    yield leaveOut(state.progress.numbers, lost);
    return true;
  }
  const { labelTokens } = sum;
  if (labelTokens === 0) return true; // every row of it was skipped: nothing to learn from, no event to tell
  const rate = rateOf(settings, step);
  const { gradients, norm: gradNorm } = finishGradients(sum, settings.maxGradNorm);
  const loss = sum.loss / labelTokens;
  const figures = { step, loss, norm: gradNorm, rows: sum.rows, file: train.file };
  const { apply, warnings } = settings.numbers
    ? lookAtStep(state.progress.numbers, settings.numbers, figures)
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
    seconds: secondsOf(state),
    memory: process.memoryUsage.rss(),
  };
  yield* warnings;
  return true;
}

/** What the engine refuses is told with the step and the rows that it was refused for. */
async function gradientsOf(
  { step: model, settings: { seed }, entering }: LoopInput,
  samples: Sample[],
  step: number,
): Promise<Gradients> {
  const rows = samples.map(({ encoded }) => encoded.row);
  entering?.(step, rows);
  try {
    return await model.gradients(samples, { seed, step });
  } catch (error) {
    throw withPlace(error, { step, rows });
  }
}

/** Tells nothing where the run was stopped in the middle of it. */
async function* evaluateStep(
  state: LoopState,
  step: number,
): AsyncGenerator<ScoringEvent | ScoredEvent | EvaluateEvent> {
  const { progress, input } = state;
  const evaluation = yield* evaluateAt(state, input.validation!, step);
  if (!evaluation) return;
  progress.standing = standingAfter(progress.standing, evaluation, input.settings.bestBy);
  progress.evaluated = step;
  yield { type: 'evaluate', ...evaluation, best: progress.standing.best?.step === step };
}

/** The model as it is after `step`, on the validation data and on the training rows that are held beside it. */
async function* evaluateAt(
  { input, pace }: LoopState,
  validation: SampleSource,
  step: number,
): AsyncGenerator<ScoringEvent | ScoredEvent, Evaluation | undefined> {
  const begun = performance.now();
  const elapsed = stopwatch(input.vision);
  const { settings, gapRows, answers, stopped } = input;
  const parts: ScoringPart[] = [
    { split: 'validation', source: validation, indices: [...validation.sizes.keys()] },
    { split: 'train', source: input.train, indices: gapRows },
  ];
  const rows = yield* scoreRows(input.step, parts, { maxTokens: settings.maxTokens, step, stopped });
  if (!rows) return undefined;
  yield { type: 'scored', step, rows };
  const answered = answers ? yield* answers.answer(step) : {};
  if (!answered) return undefined;
  const [held, seen] = parts.map(({ split }) => rows.filter((row) => row.split === split));
  const seconds = secondsSince(begun);
  pace.evaluated(elapsed());
  return {
    step,
    ...scoresOf(held),
    ...(seen.length > 0 && { train: scoresOf(seen), gap: gapOf(held, seen, settings.seed) }),
    ...answered,
    seconds,
  };
}

function estimateOf(state: LoopState): EstimateEvent {
  const { pace } = state;
  return {
    type: 'estimate',
    totalSeconds: secondsOf(state) + pace.secondsLeft(),
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

/** Since training began, whatever interrupted it left out. */
function secondsOf({ secondsBefore, started }: LoopState): number {
  return secondsBefore + secondsSince(started);
}
