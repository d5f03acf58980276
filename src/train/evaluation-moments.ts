/** When a run evaluates, and when it is over. */
import { computedTokens } from './course.ts';
import type { EarlyStop } from './events.ts';
import type { LoopInput, LoopState } from './loop-state.ts';
import { microBatches } from './micro-batches.ts';
import { tokensToAnswer } from './pace.ts';
import type { SampleSource } from './source.ts';
import type { TrainingState } from './training-state.ts';

/** Whether the step that was done last has yet to be evaluated. */
export function isOwed({ validation, settings }: LoopInput, { step, evaluated }: TrainingState): boolean {
  if (!validation || step === 0 || (evaluated ?? 0) >= step) return false;
  return step % settings.evaluateEvery === 0 || step === settings.totalSteps;
}

export function isComplete(input: LoopInput, progress: TrainingState): boolean {
  if (isOwed(input, progress)) return false;
  return progress.step === input.settings.totalSteps || isOutOfPatience(input, progress);
}

function isOutOfPatience({ settings: { patience } }: LoopInput, { standing }: TrainingState): boolean {
  return patience !== undefined && standing.since >= patience;
}

/** Where patience ran out before the last step, nothing was left undone. */
export function earlyStopOf({ input, progress }: LoopState): EarlyStop | undefined {
  const { patience, totalSteps } = input.settings;
  if (!isOutOfPatience(input, progress) || progress.step === totalSteps) return undefined;
  return { patience: patience!, bestStep: progress.standing.best!.step };
}

export function evaluationsAhead(input: LoopInput, progress: TrainingState): number {
  if (!input.validation) return 0;
  const { totalSteps, evaluateEvery, evaluateStart } = input.settings;
  const { step, evaluated } = progress;
  const first = Number(step === 0 && evaluated === null && evaluateStart) + Number(isOwed(input, progress));
  const between = Math.floor((totalSteps - 1) / evaluateEvery) - Math.floor(step / evaluateEvery);
  return first + Math.max(0, between) + Number(step < totalSteps);
}

/** Of rows scored and rows answered. */
export function tokensPerEvaluation({ validation, train, gapRows, answers, settings }: LoopInput): number {
  if (!validation) return 0;
  const scored = ({ sizes }: SampleSource, rows: number[]) =>
    computedTokens(microBatches(rows, sizes, settings.maxTokens), sizes);
  return (
    scored(validation, [...validation.sizes.keys()]) +
    scored(train, gapRows) +
    (answers ? tokensToAnswer(answers.rows, validation.sizes) : 0)
  );
}
