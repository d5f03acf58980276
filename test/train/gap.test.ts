import { describe, expect, it } from 'vitest';
import { stream } from '../../src/random.ts';
import { gapOf } from '../../src/train/gap.ts';
import type { ScoredRow } from '../../src/train/score.ts';

function row(
  at: number,
  image: string,
  losses: number[],
  split: 'train' | 'validation' = 'validation',
): ScoredRow {
  const n = losses.length;
  return {
    split,
    row: at,
    images: image === '' ? [] : [{ path: image }],
    positions: Int32Array.from({ length: n }, (_, i) => i + 1),
    ids: new Int32Array(n),
    kinds: new Uint8Array(n),
    losses: Float32Array.from(losses),
    hits: new Uint8Array(n),
    top: new Float32Array(n),
  };
}

describe('the gap between validation and training rows', () => {
  it('is the difference of means over tokens, not over rows', () => {
    const gap = gapOf([row(0, 'a', [1, 1, 1]), row(1, 'b', [5])], [row(0, 'c', [0.5], 'train')], 1)!;
    expect(gap.value).toBeCloseTo(2 - 0.5, 12);
  });

  it('has no width where all rows are alike, and none at all where a side is empty', () => {
    const gap = gapOf([row(0, 'a', [2]), row(1, 'b', [2])], [row(0, 'c', [1], 'train')], 1);
    expect(gap).toEqual({ value: 1, low: 1, high: 1 });
    expect(gapOf([], [row(0, 'c', [1], 'train')], 1)).toBeUndefined();
  });

  it('is the same for the same seed', () => {
    const rows = [row(0, 'a', [1]), row(1, 'b', [3]), row(2, 'c', [2])];
    expect(gapOf(rows, rows, 7)).toEqual(gapOf(rows, rows, 7));
  });

  it('holds the truth in about 95 of 100 draws of data', () => {
    const draws = stream(5, 'data');
    const data = (mean: number, count: number) =>
      Array.from({ length: count }, (_, i) => row(i, `${mean} ${i}`, [mean + draws.normal()]));
    let held = 0;
    for (let trial = 0; trial < 200; trial++) {
      const { low, high } = gapOf(data(1, 80), data(0.5, 80), trial)!;
      if (low <= 0.5 && 0.5 <= high) held++;
    }
    expect(held).toBeGreaterThan(200 * 0.88);
    expect(held).toBeLessThan(200);
  });

  it('draws rows about one picture together, so that many alike do not make it sure', () => {
    const apart = Array.from({ length: 100 }, (_, i) => row(i, `p${i}`, [i % 2]));
    const together = Array.from({ length: 100 }, (_, i) => row(i, `p${i % 4}`, [i % 2]));
    const still = [row(0, 'c', [0], 'train')];
    const width = (rows: ScoredRow[]) => {
      const { low, high } = gapOf(rows, still, 3)!;
      return high - low;
    };
    expect(width(together)).toBeGreaterThan(3 * width(apart));
  });
});
