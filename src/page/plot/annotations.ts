import { scaleLinear } from 'd3-scale';
import { area as areaShape } from 'd3-shape';
import { type Content, type Html, html } from '../html.ts';
import { type Area, isDrawable, round, type Scale } from './axes.ts';
import { spread } from './labels.ts';
import { textWidth } from './text-width.ts';
import { type Point, thin } from './thin.ts';

/** A range of y with a name: a legend, no judgement. */
export interface Zone {
  from: number;
  to: number;
  label: string;
}

/** Across the plot, at a value to compare with. */
export function crossLine(y: number, area: Area): Html {
  return html`<line class="axis dashed" x1="${area.left}" x2="${area.right}" y1="${round(y)}" y2="${round(y)}"/>`;
}

/** From top to bottom, at something that happened. */
export function moment(x: number, label: string, area: Area): Html {
  const late = x > (area.left + area.right) / 2;
  return html`<g><line class="axis dashed" x1="${round(x)}" x2="${round(x)}" y1="${area.top}" y2="${area.bottom}"/><text class="quiet small${late && ' end'}" x="${round(x + (late ? -6 : 6))}" y="${area.top + 10}">${label}</text></g>`;
}

export function zonesWidth(zones: readonly Zone[]): number {
  return zones.length === 0 ? 0 : 26 + Math.max(...zones.map(({ label }) => textWidth(label, 12)));
}

/** A ladder at `left`: each range with its name, every second one shaded across the plot. */
export function zoneLadder(zones: readonly Zone[], y: Scale, area: Area, left: number): Content {
  const [low, high] = y.domain();
  const seen = zones.filter(({ from, to }) => from < high && to > low);
  const spans = seen.map(({ from, to }) => [y(Math.min(to, high)), y(Math.max(from, low))]);
  const places = spread(
    spans.map(([top, bottom]) => (top + bottom) / 2),
    spans.map(() => 15),
    area.top,
    area.bottom,
  );
  return seen.map(({ label }, at) => {
    const [top, bottom] = spans[at].map(round);
    const shade =
      at % 2 === 0 &&
      html`<rect class="zone" x="${area.left}" y="${top}" width="${area.right - area.left}" height="${round(bottom - top)}"/>`;
    return html`<g>${shade}<line class="axis" x1="${left + 12}" x2="${left + 12}" y1="${top + 1.5}" y2="${bottom - 1.5}"/><text class="quiet small" x="${left + 19}" y="${round(places[at] + 4)}">${label}</text></g>`;
  });
}

/** A filled curve from 0 to its highest value, small, over the x of the plot above it. */
export function stripCurve(label: string, points: readonly Point[], x: Scale, area: Area): Content {
  const kept = thin(points, area.right - area.left).filter(([, value]) => isDrawable(value));
  const highest = kept.reduce((most, [, value]) => Math.max(most, value), 0);
  if (highest === 0) return undefined;
  const y = scaleLinear().domain([0, highest]).range([area.bottom, area.top]);
  const shape = areaShape<Point>()
    .x(([at]) => x(at))
    .y0(area.bottom)
    .y1(([, value]) => y(value))
    .digits(1);
  return html`<g><path class="bar f3" d="${shape([...kept])}"/><text class="quiet small" x="${area.left}" y="${area.top - 6}">${label}</text></g>`;
}
