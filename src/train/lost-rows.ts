/** Rows that a run lost after its check, and their places in the order after it was interrupted. */
import type { Survey } from '../check/survey.ts';
import type { Split } from './events.ts';
import type { LostRow } from './row-loader.ts';

/** All rows of a split as the first check found them. */
export type SurveyedRows = Pick<Survey, 'rows' | 'sizes' | 'contents'> & {
  prefixes: (Exclude<Survey['prefixes'][number], undefined> | null)[];
};

export interface LostRows {
  rows: (LostRow & { split: Split })[];
  /** Of the splits that lost some. */
  surveyed: Partial<Record<Split, SurveyedRows>>;
}

export function surveyedRows({ rows, sizes, contents, prefixes }: Survey): SurveyedRows {
  return { rows, sizes, contents, prefixes: prefixes.map((prefix) => prefix ?? null) };
}

/**
 * A check that finds a lost row bad leaves it out, and every row after it would move: all rows are put back as the first
 * check found them, for their loader to lose it again. Left as it is where another row is not as it was.
 */
export function restoreLost(survey: Survey, lost: LostRows | undefined): void {
  const before = lost?.surveyed[survey.split];
  if (!before || !isSameButFor(survey, before, lost)) return;
  const { rows, sizes, contents, skipped, summary } = survey;
  const isBack = (row: number) => before.rows.includes(row) && !rows.includes(row);
  const back = skipped.filter(({ row }) => isBack(row));
  summary.rows += back.length;
  summary.skipped -= back.length;
  for (const { tokens, labelTokens } of before.sizes.filter((_, i) => isBack(before.rows[i]))) {
    summary.tokens += tokens;
    summary.labelTokens += labelTokens;
  }
  skipped.splice(0, skipped.length, ...skipped.filter((row) => !back.includes(row)));
  rows.splice(0, rows.length, ...before.rows);
  sizes.splice(0, sizes.length, ...before.sizes);
  contents.splice(0, contents.length, ...before.contents);
  survey.prefixes.splice(0, survey.prefixes.length, ...before.prefixes.map((prefix) => prefix ?? undefined));
}

/** The rows that were not lost are there, the same. */
function isSameButFor(survey: Survey, before: SurveyedRows, { rows: lost }: LostRows): boolean {
  const at = new Map(survey.rows.map((row, i) => [row, i]));
  const gone = new Set(lost.filter(({ split }) => split === survey.split).map(({ row }) => row));
  const shown = (sizes: Survey['sizes'][number], contents: string[]) =>
    JSON.stringify([sizes.tokens, sizes.labelTokens, contents]);
  const kept = before.rows.filter((row, i) => {
    const now = at.get(row);
    if (now === undefined || gone.has(row)) return gone.has(row);
    return shown(survey.sizes[now], survey.contents[now]) === shown(before.sizes[i], before.contents[i]);
  });
  const added = survey.rows.some((row) => !before.rows.includes(row));
  return kept.length === before.rows.length && !added;
}
