import { area as areaShape, line } from 'd3-shape';
import { type Content, type Html, html } from '../html.ts';
import { type Area, isDrawable, round, type Scale } from './axes.ts';
import { runningMean, smoothingWindow } from './smooth.ts';
import { type Point, thin } from './thin.ts';

export interface Series {
  name: string;
  /** Sorted by x. */
  points: readonly Point[];
  /** Its place among the colours; its place among the series where absent. */
  color?: number;
  /** Noisy: every point as a thin line, their running mean as a thick one. */
  smooth?: boolean;
  dashed?: boolean;
  /** Around the points. */
  interval?: readonly { x: number; low: number; high: number }[];
}

/** A series as it is drawn. */
export interface Curve extends Series {
  color: number;
  /** The line that is read: the running mean, or the points. */
  main: readonly Point[];
  /** Points that each point of the running mean stands for. */
  window?: number;
}

export function curveOf(series: Series, at: number): Curve {
  const window = series.smooth ? smoothingWindow(series.points.length) : undefined;
  const main = window ? runningMean(series.points, window) : series.points;
  return { ...series, color: series.color ?? at, main, window };
}

/** The last point of the line that is read; nothing where there is none. */
export function lastPoint({ main }: Curve): Point | undefined {
  return main.findLast(([, y]) => isDrawable(y));
}

const fewPoints = 60;

/** What lies under the lines that are read: intervals, and every point of a noisy series. */
export function drawNoise(
  { color, window, points, interval = [] }: Curve,
  x: Scale,
  y: Scale,
  area: Area,
): Html {
  return html`<g>${interval.length > 0 && html`<path class="spread f${color}" d="${spreadPath(interval, x, y)}"/>`}${
    window !== undefined && html`<path class="raw s${color}" d="${pathOf(points, x, y, area)}"/>`
  }</g>`;
}

/** The line that is read, with a dot at every point where there are few; a running mean has no points of its own. */
export function drawMain({ color, main, dashed, window }: Curve, x: Scale, y: Scale, area: Area): Html {
  const look = dashed ? 'line dashed' : 'line';
  const drawn = main.filter((point) => isInside(point, y));
  const dots: Content =
    window === undefined &&
    drawn.length <= fewPoints &&
    drawn.map(
      ([px, py]) => html`<circle class="f${color}" cx="${round(x(px))}" cy="${round(y(py))}" r="3.2"/>`,
    );
  return html`<g><path class="${look} s${color}" d="${pathOf(main, x, y, area)}"/>${dots}</g>`;
}

/** Whether the scale has a place for it. */
function isInside([px, py]: Point, y: Scale): boolean {
  return isDrawable(px) && isDrawable(py) && Number.isFinite(y(py));
}

function pathOf(points: readonly Point[], x: Scale, y: Scale, area: Area): string | null {
  const path = line<Point>()
    .defined((point) => isInside(point, y))
    .x((point) => x(point[0]))
    .y((point) => y(point[1]))
    .digits(1);
  return path([...thin(points, area.right - area.left)]);
}

function spreadPath(interval: NonNullable<Series['interval']>, x: Scale, y: Scale): string | null {
  return areaShape<{ x: number; low: number; high: number }>()
    .defined(({ low, high }) => isInside([0, low], y) && isInside([0, high], y))
    .x((point) => x(point.x))
    .y0((point) => y(point.low))
    .y1((point) => y(point.high))
    .digits(1)([...interval]);
}

/** How its smooth line came about; nothing where it has none. */
export function smoothingNote({ name, window }: Curve): string | undefined {
  if (window === undefined) return undefined;
  return `${name}: every point as a thin line; the thick one is the mean of the ${window} points around each (at the ends, of those there are).`;
}
