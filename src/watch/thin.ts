import type { StepPoint } from './points.ts';

/**
 * At most about `limit` points that draw the same line: of each stretch the lowest and the highest loss, in their
 * order, and of all the first and the last.
 */
export function thin(points: readonly StepPoint[], limit: number): StepPoint[] {
  if (points.length <= limit) return points.slice();
  const stretch = Math.ceil((2 * points.length) / limit);
  const kept = new Set<StepPoint>([points[0]]);
  for (let start = 0; start < points.length; start += stretch) {
    const [low, high] = extremes(points, start, Math.min(start + stretch, points.length));
    for (const at of [Math.min(low, high), Math.max(low, high)]) kept.add(points[at]);
  }
  kept.add(points[points.length - 1]);
  return [...kept];
}

function extremes(points: readonly StepPoint[], start: number, end: number): [number, number] {
  const loss = (at: number) => points[at][1] ?? 0;
  let low = start;
  let high = start;
  for (let at = start; at < end; at++) {
    if (loss(at) < loss(low)) low = at;
    if (loss(at) > loss(high)) high = at;
  }
  return [low, high];
}
