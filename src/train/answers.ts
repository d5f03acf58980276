/** The answers that evaluations give: what the loop knows of them. How they come about is told to it. */
import type { Evaluation, ScoringEvent } from './events.ts';

export interface AnswerRows {
  /** Which rows of the validation source are answered, always the same. */
  rows: readonly number[];
  /**
   * Answers them with the model as it is, after `step`. Gives nothing where it was stopped on the way, and no scores where
   * no row could be answered.
   */
  answer(step: number): AsyncGenerator<ScoringEvent, Pick<Evaluation, 'answers'> | undefined>;
}
