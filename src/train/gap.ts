import { picturesKey } from '../data/example-images.ts';
import { bootstrapInterval, type Interval } from '../metrics/bootstrap.ts';
import { stream } from '../random.ts';
import type { ScoredRow } from './score.ts';

/** Loss and label tokens of the rows about one picture: they are drawn together, because they are alike. */
interface Cluster {
  loss: number;
  tokens: number;
}

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
  return bootstrapInterval(
    meanLoss(held) - meanLoss(seen),
    () => meanLoss(drawn(held)) - meanLoss(drawn(seen)),
  );
}

function clustersOf(rows: readonly ScoredRow[]): Cluster[] {
  const clusters = new Map<string, Cluster>();
  for (const row of rows) {
    const key = row.images.length === 0 ? `row ${row.row}` : picturesKey(row.images);
    const cluster = clusters.get(key) ?? { loss: 0, tokens: 0 };
    for (const loss of row.losses) cluster.loss += loss;
    cluster.tokens += row.losses.length;
    clusters.set(key, cluster);
  }
  return [...clusters.values()];
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
