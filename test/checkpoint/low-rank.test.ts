import { describe, expect, it } from 'vitest';
import {
  innerProduct,
  type LowRankUpdate,
  norm,
  squaredDistance,
  squaredNorm,
  updateRows,
} from '../../src/checkpoint/low-rank.ts';
import { around } from '../support/seeded.ts';

function seeded(name: string, rank: number, rows: number, columns: number, scale: number): LowRankUpdate {
  return {
    a: around([1, name, 'a'], rank * columns, 1),
    b: around([1, name, 'b'], rows * rank, 1),
    rank,
    scale,
  };
}

/** scale B A, element by element. */
function product({ a, b, rank, scale }: LowRankUpdate): number[] {
  const columns = a.length / rank;
  return Array.from({ length: (b.length / rank) * columns }, (_, i) => {
    let sum = 0;
    for (let r = 0; r < rank; r++)
      sum += b[Math.floor(i / columns) * rank + r] * a[r * columns + (i % columns)];
    return scale * sum;
  });
}

const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i], 0);

describe('an update as the product that it stands for', () => {
  // 1100 columns are two tiles and a rest; ranks with and without a rest of four.
  it.each([1, 3, 4, 6, 8])('has its rows at rank %d', (rank) => {
    const update = seeded('rows', rank, 5, 1100, 0.5);
    const whole = product(update);
    const rows = new Float64Array(2 * 1100 + 7).fill(9);
    updateRows(update, 2, 2, rows);
    for (let i = 0; i < 2200; i++) expect(rows[i]).toBeCloseTo(whole[2 * 1100 + i], 12);
    expect([...rows.subarray(2200)]).toEqual(new Array(7).fill(9));
  });

  it.each([
    [3, 3],
    [2, 5],
  ])('has its norm, inner product and distance at ranks %d and %d', (rankX, rankY) => {
    const [x, y] = [seeded('x', rankX, 12, 9, 2), seeded('y', rankY, 12, 9, 0.25)];
    const [wholeX, wholeY] = [product(x), product(y)];
    const difference = wholeX.map((value, i) => value - wholeY[i]);
    expect(squaredNorm(x)).toBeCloseTo(dot(wholeX, wholeX), 6);
    expect(innerProduct(x, y)).toBeCloseTo(dot(wholeX, wholeY), 6);
    expect(squaredDistance(x, y) / dot(difference, difference)).toBeCloseTo(1, 6);
  });

  it('tells small differences of large updates, and none of equal ones', () => {
    const x = seeded('near', 4, 20, 30, 2);
    const y = { ...x, b: x.b.map((value, i) => (i === 7 ? Math.fround(value + 2 ** -22) : value)) };
    const [wholeX, wholeY] = [product(x), product(y)];
    const difference = wholeX.map((value, i) => value - wholeY[i]);
    expect(dot(difference, difference) / dot(wholeX, wholeX)).toBeLessThan(1e-14);
    expect(squaredDistance(x, y) / dot(difference, difference)).toBeCloseTo(1, 5);
    expect(squaredDistance(x, { ...x })).toBe(0);
  });

  it('has the norm of its halves', () => {
    expect(norm(new Float32Array([3, 0, -4]))).toBe(5);
  });
});
