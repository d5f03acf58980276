/** [x, y]; a y that is not finite leaves a gap. */
export type Point = readonly [x: number, y: number];

/**
 * As few points as draw the same picture: of every column of pixels the first, the lowest, the highest and the last,
 * in their order. A spike of one step keeps its height. `points` are sorted by x.
 *
 * @param columns width of the picture in pixels
 */
export function thin(points: readonly Point[], columns: number): readonly Point[] {
  if (points.length <= 4 * columns) return points;
  const from = points[0][0];
  const width = (points[points.length - 1][0] - from) / columns || 1;
  const kept: Point[] = [];
  let start = 0;
  for (let end = 1; end <= points.length; end++) {
    const column = Math.floor((points[start][0] - from) / width);
    if (end < points.length && Math.floor((points[end][0] - from) / width) === column) continue;
    for (const at of extremes(points, start, end)) kept.push(points[at]);
    start = end;
  }
  return kept;
}

/** A gap is kept as well: a column that holds one gives it up to nothing else. */
function extremes(points: readonly Point[], start: number, end: number): number[] {
  let low = start;
  let high = start;
  let gap = -1;
  for (let at = start; at < end; at++) {
    const y = points[at][1];
    if (!Number.isFinite(y)) gap = at;
    if (y < points[low][1] || !Number.isFinite(points[low][1])) low = at;
    if (y > points[high][1] || !Number.isFinite(points[high][1])) high = at;
  }
  const all = new Set([start, low, high, end - 1, ...(gap >= 0 ? [gap] : [])]);
  return [...all].sort((a, b) => a - b);
}
