/** What a curve is made of before it is drawn: fewer points, a running mean, labels that do not lie on each other. */
import { describe, expect, it } from 'vitest';
import { spread } from '../../../src/page/plot/labels.ts';
import { runningMean, smoothingWindow } from '../../../src/page/plot/smooth.ts';
import { fitText, textWidth, wrapText } from '../../../src/page/plot/text-width.ts';
import { type Point, thin } from '../../../src/page/plot/thin.ts';
import { stream } from '../../../src/random.ts';

const noisy = (count: number): Point[] => {
  const random = stream(3, 'noisy');
  return Array.from({ length: count }, (_, at): Point => [at + 1, 1 + random.uniform()]);
};

describe('thin', () => {
  it('leaves few points alone', () => {
    const points = noisy(400);
    expect(thin(points, 100)).toBe(points);
  });

  it('keeps the ends, every spike and every dip, in their order', () => {
    const points = noisy(10_000);
    points[3333] = [3334, 90];
    points[7000] = [7001, -5];
    const kept = thin(points, 500);
    expect(kept.length).toBeLessThanOrEqual(4 * 501);
    expect(kept[0]).toBe(points[0]);
    expect(kept.at(-1)).toBe(points.at(-1));
    expect(kept).toContain(points[3333]);
    expect(kept).toContain(points[7000]);
    expect(kept.every(([x], at) => at === 0 || x > kept[at - 1][0])).toBe(true);
  });

  it('keeps the lowest and the highest of every column of pixels', () => {
    const points = noisy(10_000);
    const kept = new Set(thin(points, 100));
    for (let column = 0; column < 100; column++) {
      // x runs from 1 to 10,000: columns are 99.99 wide.
      const inside = points.filter(([x]) => Math.floor((x - 1) / 99.99) === column);
      const ys = inside.map(([, y]) => y);
      for (const extreme of [Math.min(...ys), Math.max(...ys)])
        expect(kept.has(inside[ys.indexOf(extreme)])).toBe(true);
    }
  });

  it('keeps gaps, and what stands beside them', () => {
    const points = noisy(5000);
    points[2500] = [2501, Number.NaN];
    points[2501] = [2502, 7];
    const kept = thin(points, 100);
    expect(kept).toContain(points[2500]);
    expect(kept).toContain(points[2501]);
  });

  it('bears one x for all', () => {
    expect(
      thin(
        Array.from({ length: 50 }, (_, at): Point => [5, at]),
        2,
      ).length,
    ).toBeLessThanOrEqual(4);
  });
});

describe('runningMean', () => {
  it('is the mean of the points around each, of those there are at the ends', () => {
    const points: Point[] = [1, 2, 6, 4, 10].map((y, x) => [x, y]);
    // (1+2)/2, (1+2+6)/3, (2+6+4)/3, (6+4+10)/3, (4+10)/2
    expect(runningMean(points, 3)).toEqual([
      [0, 1.5],
      [1, 3],
      [2, 4],
      [3, 20 / 3],
      [4, 7],
    ]);
  });

  it('does not count what is not finite', () => {
    const points: Point[] = [1, Number.NaN, 3, Number.POSITIVE_INFINITY, Number.NaN, Number.NaN].map(
      (y, x) => [x, y],
    );
    expect(runningMean(points, 3).map(([, y]) => y)).toEqual([1, 2, 3, 3, Number.NaN, Number.NaN]);
  });

  it.each([
    [10, undefined],
    [29, undefined],
    [30, 5],
    [1000, 25],
    [10_000, 201],
    [1_000_000, 201],
  ])('of %d points has a window of %s', (count, window) => {
    expect(smoothingWindow(count)).toBe(window);
  });
});

describe('spread', () => {
  it('leaves labels that have room where they are', () => {
    expect(spread([10, 50, 90], [16, 16, 16], 0, 100)).toEqual([10, 50, 90]);
  });

  it('moves those apart that lie on each other, in their order', () => {
    const placed = spread([52, 50, 51], [16, 16, 32], 0, 200);
    expect(placed[1]).toBeLessThan(placed[2]);
    expect(placed[2] - placed[1]).toBeGreaterThanOrEqual(24);
    expect(placed[0] - placed[2]).toBeGreaterThanOrEqual(24);
  });

  it('keeps them inside', () => {
    const placed = spread([100, 99, 98], [16, 16, 16], 0, 100);
    expect([...placed].sort((a, b) => a - b)).toEqual([60, 76, 92]);
    expect(spread([-5], [16], 0, 100)).toEqual([8]);
  });
});

describe('texts that cannot be measured', () => {
  it('are wrapped and cut by an estimate', () => {
    const text = 'guessing from the training answers';
    const lines = wrapText(text, 13, 120);
    expect(lines.join(' ')).toBe(text);
    for (const line of lines) expect(textWidth(line, 13)).toBeLessThanOrEqual(120);
    const cut = fitText('x'.repeat(500), 13, 100);
    expect(cut).toMatch(/^x+…$/);
    expect(textWidth(cut, 13)).toBeLessThanOrEqual(100);
    expect(textWidth('漢字', 10)).toBeGreaterThan(20);
  });
});
