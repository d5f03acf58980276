import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { type Html, html } from '../html.ts';

export type Scale = ScaleContinuousNumeric<number, number>;

/** The rectangle that is drawn in, in pixels. */
export interface Area {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Axis {
  /** With its unit. */
  label: string;
  log?: boolean;
  /** Shares, shown as percent. */
  percent?: boolean;
  /** Counted things: no ticks between them. */
  whole?: boolean;
  /** A value that the axis shows in any case: 0 for a loss. */
  from?: number;
  to?: number;
}

/** Not NaN, and not so large that the width of an axis overflows. */
export function isDrawable(value: number): boolean {
  return Math.abs(value) < 1e100;
}

/** From the lowest to the highest of these values, widened to round ones. */
export function scaleOf(axis: Axis, values: Iterable<number>, range: readonly [number, number]): Scale {
  let low = axis.from ?? Number.POSITIVE_INFINITY;
  let high = axis.to ?? Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!isDrawable(value) || (axis.log && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(low <= high)) [low, high] = axis.log ? [0.1, 1] : [0, 1];
  if (low === high)
    [low, high] = axis.log ? [low / 2, high * 2] : [low - 0.5 * Math.abs(low || 1), high + 0.5];
  const scale: Scale = axis.log ? scaleLog() : scaleLinear();
  return scale.domain([low, high]).range(range).nice();
}

export function tickText(axis: Axis, scale: Scale, count: number): (value: number) => string {
  if (axis.percent) return (value) => `${Number((100 * value).toFixed(1))} %`;
  if (axis.log) return (value) => String(Number(value.toPrecision(3)));
  if (axis.whole) return (value) => value.toLocaleString('en-US');
  return scale.tickFormat(count) as (value: number) => string;
}

/** Horizontal lines at round values with the values beside them; the label stands above. */
export function yAxis(axis: Axis, scale: Scale, area: Area): Html {
  const count = Math.max(2, Math.round((area.bottom - area.top) / 55));
  const text = tickText(axis, scale, count);
  const lines = ticksOf(axis, scale, count).map((value) => {
    const y = round(scale(value));
    return html`<line class="grid" x1="${area.left}" x2="${area.right}" y1="${y}" y2="${y}"/><text class="quiet small end" x="${area.left - 8}" y="${y + 4}">${text(value)}</text>`;
  });
  return html`<g>${lines}<text class="quiet small" x="${area.left}" y="${area.top - 12}">${axis.label}</text></g>`;
}

export function xAxis(axis: Axis, scale: Scale, area: Area): Html {
  const count = Math.max(2, Math.round((area.right - area.left) / 90));
  const text = tickText(axis, scale, count);
  const ticks = ticksOf(axis, scale, count).map((value) => {
    const x = round(scale(value));
    return html`<line class="axis" x1="${x}" x2="${x}" y1="${area.bottom}" y2="${area.bottom + 5}"/><text class="quiet small middle" x="${x}" y="${area.bottom + 19}">${text(value)}</text>`;
  });
  const middle = round((area.left + area.right) / 2);
  return html`<g><line class="axis" x1="${area.left}" x2="${area.right}" y1="${area.bottom}" y2="${area.bottom}"/>${ticks}<text class="quiet small middle" x="${middle}" y="${area.bottom + 39}">${axis.label}</text></g>`;
}

/** Below an x axis: its ticks and its label. */
export const xAxisHeight = 44;

function ticksOf(axis: Axis, scale: Scale, count: number): number[] {
  const ticks = scale.ticks(count).filter((value) => !axis.whole || Number.isInteger(value));
  if (!axis.log || ticks.length <= count + 2) return ticks;
  const powers = ticks.filter((value) => Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6));
  return powers.length > 1 ? powers : ticks.filter((_, at) => at % Math.ceil(ticks.length / count) === 0);
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
