/** How large the graph runs of a training run are: what memory and time follow from. */
import { packedTokens } from '../data/pack.ts';
import type { Lengths } from '../graph/shape.ts';
import type { RowSize } from './course.ts';

/** T tokens, N label rows, M image tokens of one graph run. */
export interface BatchSize extends Lengths {
  T: number;
  N: number;
  M: number;
}

/** Rows that run together; a beginning that they share, pictures and all, counts once. */
export function batchSize(
  rows: readonly number[],
  sizes: readonly RowSize[],
  imageTokens: ImageTokens,
): BatchSize {
  const batch = rows.map((row) => sizes[row]);
  const begun = new Set<number>();
  let [labels, images] = [0, 0];
  for (const { labelTokens, prefix, pixelBytes } of batch) {
    labels += labelTokens;
    if (!prefix || !begun.has(prefix.group)) images += imageTokens(pixelBytes);
    if (prefix) begun.add(prefix.group);
  }
  // A run without any picture is fed one blank token, which nothing reads.
  return { T: packedTokens(batch), N: labels, M: Math.max(1, images) };
}

/** Image tokens that patches of so many bytes become. */
export type ImageTokens = (pixelBytes: number) => number;

/** Runs that are kept as they come first: they decide how an arena is cut up. */
const firstRuns = 4;
/** So many largest ones are looked at one by one; of more, one that is as large as each of them. */
const mostLargest = 4;

/**
 * A few runs that take as much memory, one after the other, as all of them: the first ones, then those that no other
 * one is as large as in every way, the longest last and twice.
 */
export function tellingRuns(sizes: Iterable<BatchSize>): BatchSize[] {
  const first: BatchSize[] = [];
  let largest: BatchSize[] = [];
  for (const size of sizes) {
    if (first.length < firstRuns) first.push(size);
    if (largest.some((other) => covers(other, size))) continue;
    largest = [...largest.filter((other) => !covers(size, other)), size];
  }
  if (largest.length === 0) return [];
  const last = largest.length > mostLargest ? [envelope(largest)] : largest.sort((a, b) => a.T - b.T);
  return [...first, ...last, last[last.length - 1]];
}

const covers = (a: BatchSize, b: BatchSize) => a.T >= b.T && a.N >= b.N && a.M >= b.M;

function envelope(sizes: readonly BatchSize[]): BatchSize {
  const most = (length: 'T' | 'N' | 'M') => Math.max(...sizes.map((size) => size[length]));
  return { T: most('T'), N: most('N'), M: most('M') };
}
