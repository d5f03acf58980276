import type { Point } from './thin.ts';

/** Below this many points a curve is drawn as it is. */
const fewest = 30;

/** The window for this many points, odd: a fortieth of the curve, 5 to 201 points; nothing where there are few. */
export function smoothingWindow(count: number): number | undefined {
  if (count < fewest) return undefined;
  return 2 * Math.round(Math.min(201, Math.max(5, count / 40)) / 2 - 0.5) + 1;
}

/**
 * The mean of the `window` points around each point, at the ends of those of them that there are. Points that are not
 * finite do not count.
 */
export function runningMean(points: readonly Point[], window: number): Point[] {
  const half = Math.floor(window / 2);
  const sums = [0];
  const counts = [0];
  for (const [, y] of points) {
    const good = Number.isFinite(y);
    sums.push(sums[sums.length - 1] + (good ? y : 0));
    counts.push(counts[counts.length - 1] + (good ? 1 : 0));
  }
  return points.map(([x], at) => {
    const from = Math.max(0, at - half);
    const to = Math.min(points.length, at + half + 1);
    const count = counts[to] - counts[from];
    return [x, count === 0 ? Number.NaN : (sums[to] - sums[from]) / count];
  });
}
