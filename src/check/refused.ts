import type { SplitCheck } from './data-check.ts';

/** A row that is not used, and why, in the words of its error without its place. */
export interface RefusedRow {
  row: number;
  what: string;
}

/** Rows that are refused for the same reason, the commonest first; what differs from row to row is left out of it. */
export function groupRefused(refused: readonly RefusedRow[]): SplitCheck['refused'] {
  const groups = new Map<string, RefusedRow[]>();
  for (const row of refused) {
    const reason = pattern(row.what);
    const group = groups.get(reason);
    if (group) group.push(row);
    else groups.set(reason, [row]);
  }
  const reasons = [...groups].map(([reason, rows]) => ({
    reason: rows.every(({ what }) => what === rows[0].what) ? rows[0].what : reason,
    count: rows.length,
    rows: rows.map(({ row }) => row),
  }));
  return { count: refused.length, reasons: reasons.sort((a, b) => b.count - a.count) };
}

/** Quoted words, paths and numbers are what differs. */
function pattern(what: string): string {
  return what
    .slice(0, 2000)
    .replace(/"(?:[^"\\]|\\.)*"/g, '"..."')
    .replace(/(?<=^|\s)\.{0,2}\/[^\s:,]+|(?<=^|\s)[A-Za-z]:\\[^\s,]+/g, '...')
    .replace(/\d+/g, 'N');
}
