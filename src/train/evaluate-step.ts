/** An evaluation between steps: rows scored, rows answered, and where the run stands after it. */
import { standingAfter } from './best.ts';
import { type ScoringPart, scoreRows } from './evaluate.ts';
import { isComplete, isOwed } from './evaluation-moments.ts';
import type { BaselineEvent, EvaluateEvent, Evaluation, ScoringEvent } from './events.ts';
import { gapOf } from './gap.ts';
import { type LoopState, secondsSince, stopwatch } from './loop-state.ts';
import { type ScoredRow, scoresOf } from './score.ts';
import type { SampleSource } from './source.ts';

/** What an evaluation saw row by row, just before it is told: for the run folder alone. */
export interface ScoredEvent {
  type: 'scored';
  step: number;
  rows: ScoredRow[];
}

/** The evaluation before step 1, or the one that the interruption took away. */
export async function* evaluateFirst(
  state: LoopState,
): AsyncGenerator<ScoringEvent | ScoredEvent | BaselineEvent | EvaluateEvent> {
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

/** Tells nothing where the run was stopped in the middle of it. */
export async function* evaluateStep(
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
