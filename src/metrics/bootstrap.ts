/** How sure a mean is where rows come in clusters that are alike: several questions about one picture, one patient. */
import { stream } from '../random.ts';

/** An estimate with the interval that 95 of 100 resamples fall into. */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

const resamples = 1000;

/** Percentiles of 1000 resamples of a statistic (Efron 1979); `draw` gives its value on a fresh one. */
export function bootstrapInterval(value: number, draw: () => number): Interval {
  const drawn = Float64Array.from({ length: resamples }, draw).sort();
  return {
    value,
    low: drawn[Math.floor(0.025 * (resamples - 1))],
    high: drawn[Math.ceil(0.975 * (resamples - 1))],
  };
}

/** One row's part in a ratio of sums: a hit among 1, a loss among tokens. */
export interface Share {
  cluster: string;
  sum: number;
  weight: number;
}

/** A ratio of sums and its interval; no interval where there is one cluster alone, or none. */
export interface Estimate {
  value: number;
  low: number | null;
  high: number | null;
  /** Rows and clusters it is made of. */
  rows: number;
  clusters: number;
}

/** Clusters are drawn, never rows. Nothing where there is no row. */
export function clusteredEstimate(shares: readonly Share[], seed: number): Estimate | undefined {
  if (shares.length === 0) return undefined;
  const clusters = [...sumClusters(shares).values()];
  const draws = stream(seed, 'bootstrap');
  const { value, low, high } = bootstrapInterval(ratioOf(clusters), () =>
    ratioOf(clusters.map(() => clusters[draws.integer(clusters.length)])),
  );
  const isAlone = clusters.length < 2;
  return {
    value,
    low: isAlone ? null : low,
    high: isAlone ? null : high,
    rows: shares.length,
    clusters: clusters.length,
  };
}

export type Sums = Pick<Share, 'sum' | 'weight'>;

export function sumClusters(shares: readonly Share[]): Map<string, Sums> {
  const clusters = new Map<string, Sums>();
  for (const { cluster, sum, weight } of shares) {
    const sums = clusters.get(cluster) ?? { sum: 0, weight: 0 };
    sums.sum += sum;
    sums.weight += weight;
    clusters.set(cluster, sums);
  }
  return clusters;
}

export function ratioOf(clusters: readonly Sums[]): number {
  let sum = 0;
  let weight = 0;
  for (const cluster of clusters) {
    sum += cluster.sum;
    weight += cluster.weight;
  }
  return sum / weight;
}
