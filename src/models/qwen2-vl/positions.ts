/**
 * M-RoPE positions (Wang et al. 2024): text has three equal indices; an image's tokens have the index of its start
 * for time, plus their row and column on the merged grid; the text after it goes on behind the largest.
 */
import type { Grid } from '../../data/example.ts';

export interface Positions {
  /** [3, T] time, row, column; stored one after the other. */
  indices: Int32Array;
  /** Largest index + 1 - T: what a decoded token's place in the text adds to its index. */
  delta: number;
}

/** @param grids one for each run of image tokens, before merging. */
export function mropePositions(
  ids: ArrayLike<number>,
  grids: readonly Grid[],
  { imageTokenId, mergeSize }: { imageTokenId: number; mergeSize: number },
): Positions {
  const tokens = ids.length;
  const indices = new Int32Array(3 * tokens);
  let next = 0;
  let image = 0;
  for (let t = 0; t < tokens; ) {
    if (ids[t] !== imageTokenId) {
      for (let axis = 0; axis < 3; axis++) indices[axis * tokens + t] = next;
      next++;
      t++;
      continue;
    }
    const [frames, rows, columns] = mergedGrid(grids[image++], mergeSize);
    for (let i = 0; i < frames * rows * columns; i++, t++) {
      indices[t] = next + Math.floor(i / (rows * columns));
      indices[tokens + t] = next + (Math.floor(i / columns) % rows);
      indices[2 * tokens + t] = next + (i % columns);
    }
    next += Math.max(frames, rows, columns);
  }
  return { indices, delta: next - tokens };
}

const mergedGrid = ([frames, rows, columns]: Grid, mergeSize: number) => [
  frames,
  rows / mergeSize,
  columns / mergeSize,
];

/** [P, 2] row and column of each patch on the grid before merging, in the order of the patches: merge by merge. */
export function patchPositions([frames, rows, columns]: Grid, mergeSize: number): Int32Array {
  const positions = new Int32Array(frames * rows * columns * 2);
  let at = 0;
  for (let frame = 0; frame < frames; frame++)
    for (let blockRow = 0; blockRow < rows; blockRow += mergeSize)
      for (let blockColumn = 0; blockColumn < columns; blockColumn += mergeSize)
        for (let row = blockRow; row < blockRow + mergeSize; row++)
          for (let column = blockColumn; column < blockColumn + mergeSize; column++) {
            positions[at++] = row;
            positions[at++] = column;
          }
  return positions;
}
