/** The cosines and sines of both rotary embeddings, rounded to f32 where transformers rounds. */

import type { Grid } from '../../data/example.ts';
import { patchPositions } from './positions.ts';

export interface RotaryTables {
  /** [rows, headDim / 2] */
  cos: Float32Array;
  sin: Float32Array;
}

/** 1 / theta^(2 j / width), j = 0 .. width / 2 - 1, in f32. */
export function inverseFrequencies(width: number, theta: number): Float32Array {
  return Float32Array.from({ length: width / 2 }, (_, j) =>
    Math.fround(1 / Math.fround(theta ** Math.fround((2 * j) / width))),
  );
}

/** `position(row, j)` names the index that turns frequency j of a row. */
function tables(
  rows: number,
  frequencies: Float32Array,
  position: (row: number, j: number) => number,
): RotaryTables {
  const half = frequencies.length;
  const [cos, sin] = [new Float32Array(rows * half), new Float32Array(rows * half)];
  for (let row = 0; row < rows; row++)
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(position(row, j) * frequencies[j]);
      cos[row * half + j] = Math.cos(angle);
      sin[row * half + j] = Math.sin(angle);
    }
  return { cos, sin };
}

/** Text decoder: the sections of the half head dimension turn by time, row and column (M-RoPE). */
export function textRotary(
  indices: Int32Array,
  { headDim, theta, sections }: { headDim: number; theta: number; sections: readonly number[] },
): RotaryTables {
  const tokens = indices.length / 3;
  const axisOf = sections.flatMap((length, axis) => new Array<number>(length).fill(axis));
  return tables(tokens, inverseFrequencies(headDim, theta), (t, j) => indices[axisOf[j] * tokens + t]);
}

/** Vision tower: the first half of the frequencies turns by the patch's row, the second by its column. */
export function visionRotary(
  grid: Grid,
  { headDim, theta, mergeSize }: { headDim: number; theta: number; mergeSize: number },
): RotaryTables {
  const positions = patchPositions(grid, mergeSize);
  const quarter = inverseFrequencies(headDim / 2, theta);
  const both = Float32Array.from([...quarter, ...quarter]);
  return tables(positions.length / 2, both, (p, j) => positions[2 * p + (j < quarter.length ? 0 : 1)]);
}
