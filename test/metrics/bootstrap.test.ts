import { describe, expect, it } from 'vitest';
import { clusteredEstimate, type Share } from '../../src/metrics/bootstrap.ts';
import { stream } from '../../src/random.ts';

const share = (cluster: string, sum: number, weight = 1): Share => ({ cluster, sum, weight });

describe('an estimate over clusters', () => {
  it('is the ratio of sums, not the mean of means', () => {
    const estimate = clusteredEstimate([share('a', 3, 1), share('a', 1, 1), share('b', 2, 6)], 1)!;
    expect(estimate).toMatchObject({ value: 6 / 8, rows: 3, clusters: 2 });
  });

  it('has the interval of a mean of independent rows where every row is its own cluster', () => {
    const draws = stream(3, 'data');
    const rows = Array.from({ length: 400 }, (_, i) => share(`p${i}`, draws.uniform() < 0.3 ? 1 : 0));
    const { value, low, high } = clusteredEstimate(rows, 1)!;
    const error = Math.sqrt((value * (1 - value)) / rows.length); // of a binomial share
    expect(high! - low!).toBeGreaterThan(2 * 1.96 * error * 0.85);
    expect(high! - low!).toBeLessThan(2 * 1.96 * error * 1.15);
  });

  it('is as unsure as its clusters are few: copies of a row add nothing', () => {
    const draws = stream(4, 'data');
    const once = Array.from({ length: 60 }, (_, i) => share(`p${i}`, draws.uniform()));
    const often = once.flatMap((row) => Array.from({ length: 25 }, () => row));
    const [a, b] = [once, often].map((rows) => clusteredEstimate(rows, 1)!);
    expect([b.low! - a.low!, b.high! - a.high!, b.value - a.value].map(Math.abs)).toEqual(
      [0, 0, 0].map(() => expect.closeTo(0, 9)),
    );
  });

  it('is the same for the same seed, and has no interval for one cluster', () => {
    const rows = [share('a', 1), share('b', 0), share('c', 1)];
    expect(clusteredEstimate(rows, 5)).toEqual(clusteredEstimate(rows, 5));
    expect(clusteredEstimate([share('a', 1), share('a', 0)], 1)).toEqual({
      value: 0.5,
      low: null,
      high: null,
      rows: 2,
      clusters: 1,
    });
    expect(clusteredEstimate([], 1)).toBeUndefined();
  });
});
