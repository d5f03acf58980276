import { LorikeetError } from '../errors.ts';
import type { CourseStep } from './course.ts';
import { evaluateFirst, evaluateStep, type ScoredEvent } from './evaluate-step.ts';
import { earlyStopOf, isComplete, isOwed } from './evaluation-moments.ts';
import type {
  BaselineEvent,
  EstimateEvent,
  EvaluateEvent,
  FinishEvent,
  ScoringEvent,
  StepEvent,
  WarningEvent,
} from './events.ts';
import { type LoopInput, type LoopState, secondsOf, startState, stepsAhead } from './loop-state.ts';
import { trainStep } from './train-step.ts';
import type { Interrupted } from './training-state.ts';

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

/** The moment to keep a checkpoint: for the run folder alone. */
export interface SaveEvent extends Interrupted {
  type: 'save';
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

function* batchesOf(steps: Iterable<CourseStep>): Generator<number[]> {
  for (const { batches } of steps) yield* batches;
}
