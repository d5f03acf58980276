/** Which rows run together: those that share a prefix beside each other, no run longer than it may be. */
import type { RowSize } from './course.ts';

/** Runs that are looked at for room, the newest: a whole split has thousands. */
const openRuns = 32;

interface Run {
  rows: number[];
  room: number;
}

/**
 * Rows that share a prefix run as one pack, wherever they stand among `rows`; a pack beyond `maxTokens` is split, its prefix
 * computed again in each part, and a row beyond it runs alone. Packs fill the first run that has room for them.
 */
export function microBatches(
  rows: readonly number[],
  sizes: readonly RowSize[],
  maxTokens: number,
): number[][] {
  const runs: Run[] = [];
  for (const members of groupsOf(rows, sizes)) {
    for (const pack of packsOf(members, sizes, maxTokens)) {
      const run = runs.slice(-openRuns).find(({ room }) => room >= pack.tokens);
      if (run) run.rows.push(...pack.rows);
      else runs.push({ rows: pack.rows, room: maxTokens });
      (run ?? runs[runs.length - 1]).room -= pack.tokens;
    }
  }
  return runs.map((run) => run.rows);
}

/** In the order in which the groups come first; a row that shares nothing stands for itself. */
function groupsOf(rows: readonly number[], sizes: readonly RowSize[]): number[][] {
  const groups: number[][] = [];
  const known = new Map<number, number[]>();
  for (const row of rows) {
    const { prefix } = sizes[row];
    const members = prefix && known.get(prefix.group);
    if (members) members.push(row);
    else {
      groups.push([row]);
      if (prefix) known.set(prefix.group, groups[groups.length - 1]);
    }
  }
  return groups;
}

/** A group in as few parts as fit: each holds the prefix and as many branches as there is room for. */
function packsOf(
  members: readonly number[],
  sizes: readonly RowSize[],
  maxTokens: number,
): { rows: number[]; tokens: number }[] {
  const packs: { rows: number[]; tokens: number }[] = [];
  for (const row of members) {
    const { tokens, prefix } = sizes[row];
    const pack = packs.at(-1);
    const own = tokens - (prefix?.tokens ?? 0);
    if (pack && pack.tokens + own <= maxTokens) {
      pack.rows.push(row);
      pack.tokens += own;
    } else packs.push({ rows: [row], tokens });
  }
  return packs;
}
