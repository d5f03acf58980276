/**
 * What LoRA adds to a weight, scale * B A, without ever being a matrix: a few of its rows at a time, or its size and
 * its angle to another one through products of R x R elements. Sums are f64.
 */

/** scale * B A, [out, in]. */
export interface LowRankUpdate {
  /** [R, in] */
  a: Float32Array;
  /** [out, R] */
  b: Float32Array;
  rank: number;
  scale: number;
}

export const inFeaturesOf = ({ a, rank }: LowRankUpdate): number => a.length / rank;
const outFeaturesOf = ({ b, rank }: LowRankUpdate): number => b.length / rank;

/** Columns worked on at a time: the piece of A stays in the second cache at every usual rank. */
const tile = 512;

/** Writes rows [firstRow, firstRow + rows) of the update into `out`, [rows, in]. */
export function updateRows(update: LowRankUpdate, firstRow: number, rows: number, out: Float64Array): void {
  const columns = inFeaturesOf(update);
  out.fill(0, 0, rows * columns);
  for (let start = 0; start < columns; start += tile) {
    const end = Math.min(start + tile, columns);
    for (let row = 0; row < rows; row++) addRow(update, firstRow + row, out, row * columns, start, end);
  }
  for (let i = 0; i < rows * columns; i++) out[i] *= update.scale;
}

/** Four ranks at a time: a quarter of the loads and stores of the sums. */
function addRow(
  { a, b, rank }: LowRankUpdate,
  row: number,
  out: Float64Array,
  at: number,
  start: number,
  end: number,
): void {
  const columns = a.length / rank;
  const factors = row * rank;
  let r = 0;
  for (; r + 4 <= rank; r += 4) {
    const [b0, b1, b2, b3] = [b[factors + r], b[factors + r + 1], b[factors + r + 2], b[factors + r + 3]];
    const a0 = r * columns;
    const a1 = a0 + columns;
    const a2 = a1 + columns;
    const a3 = a2 + columns;
    for (let i = start; i < end; i++)
      out[at + i] += b0 * a[a0 + i] + b1 * a[a1 + i] + b2 * a[a2 + i] + b3 * a[a3 + i];
  }
  for (; r < rank; r++) {
    const factor = b[factors + r];
    for (let i = start; i < end; i++) out[at + i] += factor * a[r * columns + i];
  }
}

/** sum over all elements of x y, for x = B1 A1 and y = B2 A2: tr(A1' B1' B2 A2) = sum of (B1' B2) o (A1 A2'). */
export function innerProduct(x: LowRankUpdate, y: LowRankUpdate): number {
  const [left, right] = [outputProducts(x, y), inputProducts(x, y)];
  return left.reduce((sum, value, i) => sum + value * right[i], 0) * x.scale * y.scale;
}

/** B1' B2, [R1, R2]; row by row, as the two lie in memory. */
function outputProducts(x: LowRankUpdate, y: LowRankUpdate): Float64Array {
  const sums = new Float64Array(x.rank * y.rank);
  for (let row = 0; row < outFeaturesOf(x); row++)
    for (let i = 0; i < x.rank; i++) {
      const factor = x.b[row * x.rank + i];
      for (let j = 0; j < y.rank; j++) sums[i * y.rank + j] += factor * y.b[row * y.rank + j];
    }
  return sums;
}

/** A1 A2', [R1, R2] */
function inputProducts(x: LowRankUpdate, y: LowRankUpdate): Float64Array {
  const columns = inFeaturesOf(x);
  const sums = new Float64Array(x.rank * y.rank);
  for (let i = 0; i < x.rank; i++)
    for (let j = 0; j < y.rank; j++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += x.a[i * columns + k] * y.a[j * columns + k];
      sums[i * y.rank + j] = sum;
    }
  return sums;
}

/** The squared Frobenius norm; rounding may leave a zero just below itself. */
export const squaredNorm = (update: LowRankUpdate): number => Math.max(0, innerProduct(update, update));

/**
 * The squared norm of x - y. Where ranks are equal it is that of (s B1 - t B2) A1 + t B2 (A1 - A2), so that updates that
 * are alike do not differ by what is lost when large numbers cancel.
 */
export function squaredDistance(x: LowRankUpdate, y: LowRankUpdate): number {
  if (x.rank !== y.rank) return Math.max(0, squaredNorm(x) + squaredNorm(y) - 2 * innerProduct(x, y));
  const { rank } = x;
  const left = { a: x.a, b: x.b.map((value, i) => x.scale * value - y.scale * y.b[i]), rank, scale: 1 };
  const right = { a: x.a.map((value, i) => value - y.a[i]), b: y.b, rank, scale: y.scale };
  return Math.max(0, squaredNorm(left) + squaredNorm(right) + 2 * innerProduct(left, right));
}

export function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
