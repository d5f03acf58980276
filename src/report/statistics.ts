/**
 * The few statistics that findings rest on, each with how far it can be trusted. Absurd values overflow to NaN, which no
 * condition of a finding holds for.
 */
import type { RowScore, TokenScore } from '../train/row-scores.ts';

export interface Estimate {
  value: number;
  /** Standard error. */
  error: number;
}

export function mean(values: readonly number[]): Estimate {
  const n = values.length;
  const value = values.reduce((sum, x) => sum + x, 0) / n;
  const squares = values.reduce((sum, x) => sum + (x - value) ** 2, 0);
  return { value, error: n > 1 ? Math.sqrt(squares / (n - 1) / n) : Number.POSITIVE_INFINITY };
}

/** a - b of independent estimates. */
export function difference(a: Estimate, b: Estimate): Estimate {
  return { value: a.value - b.value, error: Math.hypot(a.error, b.error) };
}

/** How many standard errors it lies from 0. */
export function weight({ value, error }: Estimate): number {
  return value === 0 ? 0 : value / error;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Least squares through (x, y): y's change for each x. */
export function slope(xs: readonly number[], ys: readonly number[]): Estimate {
  const n = xs.length;
  const [x0, y0] = [mean(xs).value, mean(ys).value];
  const spread = xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
  const value = xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i] - y0), 0) / spread;
  const squares = ys.reduce((sum, y, i) => sum + (y - y0 - value * (xs[i] - x0)) ** 2, 0);
  return { value, error: Math.sqrt(squares / (n - 2) / spread) };
}

/**
 * The noise of a curve whose truth bends little: the root mean square of its second differences, whose variance is
 * six times that of independent noise.
 */
export function noiseOf(values: readonly number[]): number {
  const bends = values.slice(2).map((y, i) => values[i] - 2 * values[i + 1] + y);
  return Math.sqrt(bends.reduce((sum, bend) => sum + bend ** 2, 0) / bends.length / 6);
}

/**
 * A mean over tokens of rows, its error from how unlike the pictures are: rows about one picture are alike, so they
 * count as one draw (ratio estimate, Cochran 1977, chapters 6 and 9A). Nothing below two clusters.
 */
export function tokenMean(
  rows: readonly RowScore[],
  figure: (token: TokenScore, t: number, row: RowScore) => number | undefined,
): (Estimate & { clusters: number }) | undefined {
  const clusters = new Map<string, { sum: number; tokens: number }>();
  for (const row of rows) {
    const key = row.images.length > 0 ? row.images.join('\n') : `row ${row.row}`;
    const cluster = clusters.get(key) ?? { sum: 0, tokens: 0 };
    row.tokens.forEach((token, t) => {
      const value = figure(token, t, row);
      if (value === undefined) return;
      cluster.sum += value;
      cluster.tokens++;
    });
    if (cluster.tokens > 0) clusters.set(key, cluster);
  }
  const n = clusters.size;
  if (n < 2) return undefined;
  const all = [...clusters.values()];
  const tokens = all.reduce((total, cluster) => total + cluster.tokens, 0);
  const value = all.reduce((total, { sum }) => total + sum, 0) / tokens;
  const squares = all.reduce((total, cluster) => total + (cluster.sum - value * cluster.tokens) ** 2, 0);
  return { value, error: Math.sqrt((n / (n - 1)) * squares) / tokens, clusters: n };
}
