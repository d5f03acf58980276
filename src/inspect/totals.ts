/** What all rows of an inspection say together. */
import { count, number, percent } from '../words.ts';
import type { InspectedRow } from './row.ts';

export interface Totals {
  rows: number;
  refused: number;
  labelTokens: number;
  /** Over the rows whose losses are known. */
  scored: { tokens: number; sum: number; hits: number };
}

export const emptyTotals = (): Totals => ({
  rows: 0,
  refused: 0,
  labelTokens: 0,
  scored: { tokens: 0, sum: 0, hits: 0 },
});

export function addRow(totals: Totals, row: InspectedRow): void {
  totals.rows++;
  if ('refused' in row) {
    totals.refused++;
    return;
  }
  totals.labelTokens += row.labelTokens;
  for (const token of row.tokens) {
    if (!token.label || token.loss === null) continue;
    totals.scored.tokens++;
    totals.scored.sum += token.loss;
    totals.scored.hits += Number(token.probability! >= token.top[0].probability);
  }
}

/** Loss and accuracy told apart, with the figures of these rows; nothing where no loss is known. */
export function lossAndAccuracy({ scored }: Totals): string | undefined {
  const { tokens, sum, hits } = scored;
  if (tokens === 0) return undefined;
  return (
    `Of ${count(tokens, 'label token')}, ${number(hits)} ${hits === 1 ? 'was' : 'were'} the likeliest in ${hits === 1 ? 'its' : 'their'} place ` +
    `(accuracy ${percent(hits / tokens)}); their mean loss is ${(sum / tokens).toFixed(4)}. Loss says how sure the model was ` +
    'of the right token, accuracy whether it was the likeliest: the same accuracy can have loss 0.05 or 0.51. ' +
    'A wrong token said with probability 0.8 leaves the right one at most 0.2 and costs at least -ln 0.2 = 1.61.'
  );
}
