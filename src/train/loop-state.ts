/** What a training loop is given, and what it carries from step to step. */
import type { BestMetric } from '../config/best-metrics.ts';
import { type AdamWState, createAdamW } from '../optim/adamw.ts';
import type { Schedule } from '../optim/schedule.ts';
import type { AnswerRows } from './answers.ts';
import { type CourseStep, computedTokens } from './course.ts';
import { evaluationsAhead, isComplete, tokensPerEvaluation } from './evaluation-moments.ts';
import { createGradientSum, type GradientSum } from './gradients.ts';
import type { NumbersPolicy } from './numbers.ts';
import { createPace, type Pace } from './pace.ts';
import type { SampleSource } from './source.ts';
import type { CompiledStep } from './step.ts';
import { freshState, type Interrupted, type TrainingState } from './training-state.ts';
import type { VisionAccount } from './vision-account.ts';

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
export interface LoopState {
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

export function startState(input: LoopInput): LoopState {
  const { settings, train, interrupted } = input;
  const progress: TrainingState = { ...(interrupted?.state ?? freshState()) };
  let tokens = 0;
  for (const { batches } of stepsAhead(input)) tokens += computedTokens(batches, train.sizes);
  const pace = createPace({
    tokens,
    evaluations: evaluationsAhead(input, progress),
    tokensPerEvaluation: tokensPerEvaluation(input),
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

export function* stepsAhead({ course, interrupted }: LoopInput): Generator<CourseStep> {
  const done = interrupted?.state.step ?? 0;
  for (const step of course()) if (step.step > done) yield step;
}

/** Since training began, whatever interrupted it left out. */
export function secondsOf({ secondsBefore, started }: LoopState): number {
  return secondsBefore + secondsSince(started);
}

/** Seconds from now on, those in the vision tower left out: they are not what a token costs. */
export function stopwatch(vision: VisionAccount | undefined): () => number {
  const begun = performance.now();
  const before = vision?.seconds ?? 0;
  return () => secondsSince(begun) - ((vision?.seconds ?? 0) - before);
}

export function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
