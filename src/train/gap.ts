import { keyOf } from '../data/image/source.ts';
import { stream } from '../random.ts';
import type { Interval } from './events.ts';
import type { ScoredRow } from './score.ts';

/** Loss and label tokens of the rows about one picture: they are drawn together, because they are alike. */
interface Cluster {
  loss: number;
  tokens: number;
}

const resamples = 1000;

/**
 * Validation loss less training loss, each a mean over label tokens, and the interval that 95 of 100 bootstrap
 * resamples fall into (Efron 1979, percentiles). Pictures are resampled, not rows; a row without one stands for itself.
 */
export function gapOf(
  validation: readonly ScoredRow[],
  train: readonly ScoredRow[],
  seed: number,
): Interval | undefined {
  if (validation.length === 0 || train.length === 0) return undefined;
  const [held, seen] = [clustersOf(validation), clustersOf(train)];
  const draws = stream(seed, 'gap');
  const drawn = (clusters: Cluster[]) => clusters.map(() => clusters[draws.integer(clusters.length)]);
  const gaps = Float64Array.from({ length: resamples }, () => meanLoss(drawn(held)) - meanLoss(drawn(seen)));
  gaps.sort();
  return {
    value: meanLoss(held) - meanLoss(seen),
    low: gaps[Math.floor(0.025 * (resamples - 1))],
    high: gaps[Math.ceil(0.975 * (resamples - 1))],
  };
}

function clustersOf(rows: readonly ScoredRow[]): Cluster[] {
  const clusters = new Map<string, Cluster>();
  for (const row of rows) {
    const key = pictureKey(row);
    const cluster = clusters.get(key) ?? { loss: 0, tokens: 0 };
    for (const loss of row.losses) cluster.loss += loss;
    cluster.tokens += row.losses.length;
    clusters.set(key, cluster);
  }
  return [...clusters.values()];
}

function pictureKey({ images, row }: ScoredRow): string {
  if (images.length === 0) return `row ${row}`;
  return images.map(keyOf).join('\n');
}

function meanLoss(clusters: readonly Cluster[]): number {
  let loss = 0;
  let tokens = 0;
  for (const cluster of clusters) {
    loss += cluster.loss;
    tokens += cluster.tokens;
  }
  return loss / tokens;
}
