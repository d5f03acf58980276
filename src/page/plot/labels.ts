/**
 * Moves labels apart: their middles in the order they wanted, none over another, all inside `from` to `to` where
 * there is room, and no farther from where they wanted to be than that takes.
 *
 * @param heights of each label, in pixels like everything else
 */
export function spread(
  wanted: readonly number[],
  heights: readonly number[],
  from: number,
  to: number,
): number[] {
  const order = wanted.map((_, at) => at).sort((a, b) => wanted[a] - wanted[b]);
  const placed = [...wanted];
  const apart = (a: number, b: number) => (heights[a] + heights[b]) / 2;
  order.forEach((at, i) => {
    const least = i === 0 ? from + heights[at] / 2 : placed[order[i - 1]] + apart(order[i - 1], at);
    placed[at] = Math.max(placed[at], least);
  });
  for (let i = order.length - 1; i >= 0; i--) {
    const at = order[i];
    const most =
      i === order.length - 1 ? to - heights[at] / 2 : placed[order[i + 1]] - apart(at, order[i + 1]);
    placed[at] = Math.min(placed[at], most);
  }
  return placed;
}
