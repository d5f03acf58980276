/** A step of training: gradients summed over its micro-batches, then the update. */
import { withPlace } from '../data/place.ts';
import type { LorikeetError } from '../errors.ts';
import { adamwStep } from '../optim/adamw.ts';
import { learningRate } from '../optim/schedule.ts';
import { type CourseStep, computedTokens } from './course.ts';
import type { EstimateEvent, StepEvent, WarningEvent } from './events.ts';
import { addGradients, clearGradientSum, finishGradients } from './gradients.ts';
import { type LoopInput, type LoopSettings, type LoopState, secondsOf, stopwatch } from './loop-state.ts';
import { isLeftOut, leaveOut, lookAtStep } from './numbers.ts';
import { SeenRows } from './sharing.ts';
import type { LoadedSample, SampleSource } from './source.ts';
import type { Gradients, Sample } from './step.ts';

type SamplesAhead = ReturnType<SampleSource['stream']>;

/** One optimizer step. Says whether it is whole; one that was stopped on the way has changed nothing. */
export async function* trainStep(
  state: LoopState,
  next: CourseStep,
  samplesAhead: SamplesAhead,
): AsyncGenerator<EstimateEvent | StepEvent | WarningEvent, boolean> {
  const gathered = yield* sumGradients(state, next, samplesAhead);
  if (!gathered) return false;
  if (gathered.lost) yield leaveOut(state.progress.numbers, gathered.lost);
  // Where every row of it was skipped there is nothing to learn from, and no event to tell.
  else if (state.sum.labelTokens > 0) yield* update(state, next, gathered.seen);
  return true;
}

/** What a step's micro-batches add up to in `sum`, or the number that is not finite for which it is left out. */
async function* sumGradients(
  state: LoopState,
  { step, batches }: CourseStep,
  samplesAhead: SamplesAhead,
): AsyncGenerator<EstimateEvent, { seen: SeenRows; lost?: LorikeetError } | undefined> {
  const { input, sum, pace, firstStep } = state;
  const { settings, train } = input;
  clearGradientSum(sum);
  const seen = new SeenRows(train.sizes);
  let lost: LorikeetError | undefined;
  for (const [i, batch] of batches.entries()) {
    if (input.abandoned?.() || (i > 0 && input.stopped())) return undefined;
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
  return { seen, lost };
}

/** The mean gradient, clipped, through AdamW; unless the numbers say that it had better not. */
function* update(
  state: LoopState,
  { step, epoch }: CourseStep,
  seen: SeenRows,
): Generator<StepEvent | WarningEvent> {
  const { input, sum, pace } = state;
  const { settings, train } = input;
  const { labelTokens } = sum;
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
