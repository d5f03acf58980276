/** Which row of the data a dumped sequence is: told by its tokens, because a collator keeps no row numbers. */
import type { Encoded } from '../data/example.ts';
import type { DumpedSequence } from './dump.ts';

/** A sequence that is no row as Lorikeet encodes it, beside the row that it is most like. */
export interface UnmatchedSequence {
  sequence: number;
  nearestRow: number;
  /** The first token that differs; that of the one that has ended is null. */
  position: number;
  ours: number | null;
  theirs: number | null;
}

export interface Matches {
  byRow: Map<number, DumpedSequence>;
  unmatched: UnmatchedSequence[];
}

/** Sequences whose nearest row is looked for: it is a search over all rows. */
const shownUnmatched = 20;

/** Rows with the same tokens share sequences with the same tokens in their order. */
export function matchRows(
  sequences: readonly DumpedSequence[],
  rows: readonly Pick<Encoded, 'row' | 'ids'>[],
): Matches {
  const waiting = new Map<string, DumpedSequence[]>();
  for (const sequence of sequences) {
    const key = sequence.ids.join();
    waiting.set(key, [...(waiting.get(key) ?? []), sequence]);
  }
  const byRow = new Map<number, DumpedSequence>();
  const matched = new Set<string>();
  for (const { row, ids } of rows) {
    const key = ids.join();
    const same = waiting.get(key);
    if (!same) continue;
    matched.add(key);
    byRow.set(row, same.length > 1 ? same.shift()! : same[0]);
  }
  const left = sequences.filter(({ ids }) => !matched.has(ids.join())).slice(0, shownUnmatched);
  return { byRow, unmatched: left.flatMap((sequence) => nearest(sequence, rows) ?? []) };
}

function nearest(
  { sequence, ids }: DumpedSequence,
  rows: readonly Pick<Encoded, 'row' | 'ids'>[],
): UnmatchedSequence | undefined {
  let best: UnmatchedSequence | undefined;
  let most = -1;
  for (const row of rows) {
    const position = sharedStart(ids, row.ids);
    const shared = position + sharedEnd(ids, row.ids, position);
    if (shared <= most) continue;
    most = shared;
    const [ours, theirs] = [row.ids[position] ?? null, ids[position] ?? null];
    best = { sequence, nearestRow: row.row, position, ours, theirs };
  }
  return best;
}

function sharedStart(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

/** Tokens at the ends that are the same, those of the start not counted again. */
function sharedEnd(a: Int32Array, b: Int32Array, start: number): number {
  const most = Math.min(a.length, b.length) - start;
  let length = 0;
  while (length < most && a[a.length - 1 - length] === b[b.length - 1 - length]) length++;
  return length;
}
