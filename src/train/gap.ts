import { picturesKey } from '../data/example-images.ts';
import {
  bootstrapInterval,
  type Interval,
  ratioOf,
  type Share,
  type Sums,
  sumClusters,
} from '../metrics/bootstrap.ts';
import { stream } from '../random.ts';
import type { ScoredRow } from './score.ts';

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
  const [held, seen] = [validation, train].map((rows) => [...sumClusters(rows.map(shareOf)).values()]);
  const draws = stream(seed, 'gap');
  const drawn = (clusters: Sums[]) => ratioOf(clusters.map(() => clusters[draws.integer(clusters.length)]));
  return bootstrapInterval(ratioOf(held) - ratioOf(seen), () => drawn(held) - drawn(seen));
}

/** Rows about one picture are drawn together, because they are alike. */
function shareOf({ images, row, losses }: ScoredRow): Share {
  return {
    cluster: images.length === 0 ? `row ${row}` : picturesKey(images),
    sum: losses.reduce((sum, loss) => sum + loss, 0),
    weight: losses.length,
  };
}
