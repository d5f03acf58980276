/** Rows that a run lost after its check, and their places in the order after it was interrupted. */
import type { Survey } from '../check/survey.ts';
import type { LostRowState } from './checkpoints/state-file.ts';
import type { SplitPlan } from './plan.ts';
import type { LostRow } from './row-loader.ts';

/**
 * A check that finds such a row bad leaves it out, and every row after it would move: it is put back as the first check
 * found it, for its loader to lose it again.
 */
export function restoreLost(survey: Survey, lost: readonly LostRowState[]): void {
  const { rows, sizes, contents, skipped, summary } = survey;
  const missing = lost.filter(({ split, row }) => split === survey.split && !rows.includes(row));
  for (const { row, size, contents: pictures } of missing) {
    const after = rows.findIndex((other) => other > row);
    const at = after === -1 ? rows.length : after;
    rows.splice(at, 0, row);
    sizes.splice(at, 0, size);
    contents.splice(at, 0, pictures);
    summary.rows++;
    summary.tokens += size.tokens;
    summary.labelTokens += size.labelTokens;
    const bad = skipped.findIndex((other) => other.row === row);
    if (bad !== -1) summary.skipped -= skipped.splice(bad, 1).length;
  }
}

/** The rows that a split has lost so far, as a checkpoint keeps them. */
export function lostRowsOf({ survey }: SplitPlan, lost: readonly LostRow[]): LostRowState[] {
  return lost.map(({ row, reason }) => {
    const index = survey.rows.indexOf(row);
    return { split: survey.split, row, reason, size: survey.sizes[index], contents: survey.contents[index] };
  });
}
