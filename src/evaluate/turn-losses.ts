import type { ScoredRow } from '../train/score.ts';
import type { AnswerLoss } from './prediction.ts';

/** The label tokens of a row, answer by answer: a run of neighbours is an answer with its end. */
export function turnLosses({ positions, losses }: Pick<ScoredRow, 'positions' | 'losses'>): AnswerLoss[] {
  const turns: AnswerLoss[] = [];
  positions.forEach((t, n) => {
    if (n === 0 || positions[n - 1] !== t - 1) turns.push({ loss: 0, tokens: 0 });
    const turn = turns[turns.length - 1];
    turn.loss += losses[n];
    turn.tokens++;
  });
  return turns;
}
