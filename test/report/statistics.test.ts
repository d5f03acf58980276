import { describe, expect, it } from 'vitest';
import { difference, mean, median, noiseOf, slope, tokenMean, weight } from '../../src/report/statistics.ts';
import { rowScore } from './row-scores.ts';

describe('statistics', () => {
  it('give a mean its standard error', () => {
    // 2, 4, 6: variance 4, error sqrt(4 / 3).
    expect(mean([2, 4, 6])).toEqual({ value: 4, error: Math.sqrt(4 / 3) });
    expect(mean([2]).error).toBe(Number.POSITIVE_INFINITY);
    expect(difference({ value: 5, error: 3 }, { value: 1, error: 4 })).toEqual({ value: 4, error: 5 });
    expect([weight({ value: 4, error: 2 }), weight({ value: 0, error: 0 })]).toEqual([2, 0]);
  });

  it('fit a line by least squares', () => {
    // y = 0, 2, 1 at x = 0, 1, 2: slope 1/2, residuals -1/2, 1, -1/2, error sqrt(1.5 / 1 / 2).
    const line = slope([0, 1, 2], [0, 2, 1]);
    expect(line.value).toBeCloseTo(0.5, 12);
    expect(line.error).toBeCloseTo(Math.sqrt(0.75), 12);
    expect(slope([0, 1, 2, 3], [1, 3, 5, 7])).toEqual({ value: 2, error: 0 });
  });

  it('know the middle of a list', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
  });

  it('see no noise in a line, and in a zigzag that of its second differences', () => {
    expect(noiseOf([1, 2, 3, 4])).toBe(0);
    // Second differences -4, 4, -4 of +1, -1 around 0: sqrt(16 / 6).
    expect(noiseOf([-1, 1, -1, 1, -1])).toBeCloseTo(Math.sqrt(16 / 6), 12);
  });

  it('count rows about one picture as one draw', () => {
    const row = (r: number, image: string, loss: number) =>
      rowScore(r, [['answer', loss, true, 1]], { images: [image] });
    const of = (rows: ReturnType<typeof row>[]) => tokenMean(rows, ({ loss }) => loss);
    const apart = of([row(0, 'a', 1), row(1, 'b', 1), row(2, 'c', 3), row(3, 'd', 3)]);
    const together = of([row(0, 'a', 1), row(1, 'a', 1), row(2, 'b', 3), row(3, 'b', 3)]);
    // Residuals -1, -1, 1, 1: sqrt(4/3 x 4) / 4. As two clusters of -2 and 2: sqrt(2 x 8) / 4.
    expect(apart).toEqual({ value: 2, error: Math.sqrt(16 / 3) / 4, clusters: 4 });
    expect(together).toEqual({ value: 2, error: 1, clusters: 2 });
    expect(of([row(0, 'a', 1), row(1, 'a', 2)])).toBeUndefined();
    expect(tokenMean([row(0, 'a', 1), row(1, 'b', 2)], () => undefined)).toBeUndefined();
  });
});
