/** How a run is cut so that it fits: the fastest way that needs no more memory than there is. */
import type { MemoryNeed, MemoryPlanner, RowAlone, RunCut } from './memory-need.ts';

export interface Cut extends RunCut {
  need: MemoryNeed;
}

/** The words of a config that decide how a run is cut, and which of them somebody wrote. */
export interface CutWords extends RunCut {
  written: ReadonlySet<keyof RunCut>;
  /** What memory does not keep of embedded pictures, the disk does. */
  keepsOnDisk: boolean;
}

/** Shares of the most tokens that run together, the largest first. */
const shares = [1, 3 / 4, 1 / 2, 1 / 4, 1 / 8];
/** Runs of fewer tokens spend more time on casting weights than on products. */
const leastTokens = 64;
/** Of embedded pictures, where memory is short and the disk keeps all of them. */
const smallCache = 64e6;

/**
 * Every way that leaves what was written as it is: keeping activations before computing them again, long runs before
 * short ones, embedded pictures in memory before on disk alone.
 */
export function cutsOf(words: CutWords): RunCut[] {
  const { recompute, maxTokens, written } = words;
  const [longest, ...shorter] = written.has('maxTokens') ? [maxTokens] : shorterThan(maxTokens);
  const ways = written.has('recompute')
    ? [longest, ...shorter].map((length) => ({ recompute, maxTokens: length }))
    : [
        { recompute: false, maxTokens: longest },
        ...[longest, ...shorter].map((length) => ({ recompute: true, maxTokens: length })),
      ];
  return ways.flatMap((way) => cachesOf(words).map((cacheMemory) => ({ ...way, cacheMemory })));
}

function cachesOf({ cacheMemory, written, keepsOnDisk }: CutWords): number[] {
  const mayShrink = keepsOnDisk && !written.has('cacheMemory') && cacheMemory > smallCache;
  return mayShrink ? [cacheMemory, smallCache] : [cacheMemory];
}

function shorterThan(maxTokens: number): number[] {
  const lengths = shares.map((share) => Math.floor(maxTokens * share));
  return lengths.filter((length, i) => i === 0 || length >= leastTokens);
}

/** The first that fits, of all that were looked at until then. */
export function firstThatFits(
  planner: MemoryPlanner,
  cuts: readonly RunCut[],
  bytes: number,
): { fits?: Cut; tried: Cut[] } {
  const tried: Cut[] = [];
  for (const cut of cuts) {
    const need = planner.need(cut);
    tried.push({ ...cut, need });
    if (need.total <= bytes) return { fits: tried[tried.length - 1], tried };
  }
  return { tried };
}

/** The row that needs most of all, alone, and what it needs; nothing where every row fits, or not even the shortest. */
export function rowTooLarge(
  planner: MemoryPlanner,
  recompute: boolean,
  bytes: number,
): { row: RowAlone; need: MemoryNeed } | undefined {
  const { rows } = planner.sizes;
  const shortest = rows.reduce((least, row) => (row.size.T < least.size.T ? row : least));
  if (planner.needOfRow(shortest, recompute).total > bytes) return undefined;
  let worst: { row: RowAlone; need: MemoryNeed } | undefined;
  for (const row of largestRows(planner)) {
    const need = planner.needOfRow(row, recompute);
    if (need.total > bytes && (!worst || need.total > worst.need.total)) worst = { row, need };
  }
  return worst;
}

/** Of each split the longest row, and those with the most labels, with the most of pictures and with the largest one. */
function largestRows({ sizes: { rows, pictures } }: MemoryPlanner): Set<RowAlone> {
  const lengths: ((row: RowAlone) => number)[] = [
    ({ size }) => size.T,
    ({ size }) => size.N,
    ({ size }) => size.M,
    (row) => Math.max(0, ...row.pictures.map((content) => pictures.get(content) ?? 0)),
  ];
  const splits = [...new Set(rows.map(({ split }) => split))];
  return new Set(
    splits.flatMap((split) => {
      const own = rows.filter((row) => row.split === split);
      return lengths.map((length) => own.reduce((most, row) => (length(row) > length(most) ? row : most)));
    }),
  );
}
