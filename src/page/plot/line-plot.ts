import { scaleLinear } from 'd3-scale';
import { type Html, html } from '../html.ts';
import { crossLine, moment, stripCurve, type Zone, zoneLadder, zonesWidth } from './annotations.ts';
import { type Area, type Axis, isDrawable, scaleOf, xAxis, xAxisHeight, yAxis } from './axes.ts';
import { type Curve, curveOf, drawMain, drawNoise, lastPoint, type Series, smoothingNote } from './curves.ts';
import { type Caption, captionHeight, margin, plotFrame } from './frame.ts';
import { type SideLabel, sideLabels, sideLabelsWidth } from './side-labels.ts';
import { wrapText } from './text-width.ts';
import type { Point } from './thin.ts';

export interface LinePlot extends Caption {
  x: Axis;
  y: Axis;
  /** The first lies on top. */
  series: readonly Series[];
  /** Values to compare with, drawn across; one far above all curves stands at the upper edge, with an arrow. */
  lines?: readonly { y: number; label: string }[];
  /** Moments of the run, drawn from top to bottom. */
  moments?: readonly { x: number; label: string }[];
  /** Ranges of y, named beside the plot. */
  zones?: readonly Zone[];
  /** A small curve below, over the same x. */
  strip?: { label: string; points: readonly Point[] };
  /** Shows a value in a label; three digits where absent. */
  shown?: (value: number) => string;
  /** Pixels; of the height, what the curves get. */
  width?: number;
  height?: number;
}

const stripHeight = 46;

/** Curves over one x, with their names and last values beside their ends: an SVG file. */
export function linePlot(plot: LinePlot): string {
  const { width = 960, zones = [], moments = [] } = plot;
  const curves = plot.series.map(curveOf).filter((curve) => lastPoint(curve));
  const { near, far } = comparisons(plot, curves);
  const texts = textsOf(plot, curves, near, far);
  const area = layout(plot, texts);
  const x = scaleLinear().domain(domainOf(curves, plot.strip?.points)).range([area.left, area.right]);
  const values = [...valuesOf(curves), ...near.map((line) => line.y)];
  const y = scaleOf(plot.y, values, [area.bottom, area.top]);
  const heights = [
    ...curves.map((curve) => y(lastPoint(curve)![1])),
    ...near.map((line) => y(line.y)),
    ...far.map(() => area.top),
  ];
  const labels: SideLabel[] = texts.map((text, at) => ({ text, y: heights[at], color: curves[at]?.color }));
  const strip = plot.strip && { ...area, top: area.bottom + 30, bottom: area.bottom + 30 + stripHeight };
  const lowest = strip ?? area;
  const notes = curves
    .flatMap((curve) => smoothingNote(curve) ?? [])
    .flatMap((note) => wrapText(note, 12, width - 2 * margin));
  const body = html`${zoneLadder(zones, y, area, width - margin - zonesWidth(zones))}
${yAxis(plot.y, y, area)}
${moments.map((one) => moment(x(one.x), one.label, area))}
${curves.map((curve) => drawNoise(curve, x, y, area))}
${near.map((line) => crossLine(y(line.y), area))}
${curves.map((curve) => drawMain(curve, x, y, area)).reverse()}
${sideLabels(labels, area)}
${plot.strip && strip && stripCurve(plot.strip.label, plot.strip.points, x, strip)}
${xAxis(plot.x, x, lowest)}
${footnotes(notes, lowest.bottom + xAxisHeight + 22)}`;
  const total = lowest.bottom + xAxisHeight + (notes.length > 0 ? 14 + 16 * notes.length : 0) + 12;
  return plotFrame(plot, width, total, body);
}

type Line = NonNullable<LinePlot['lines']>[number];

/** A line far above all curves would press them flat. */
function comparisons({ lines = [] }: LinePlot, curves: readonly Curve[]): { near: Line[]; far: Line[] } {
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of valuesOf(curves)) if (value > highest && isDrawable(value)) highest = value;
  const isFar = (line: Line) => line.y > 1.5 * highest;
  return { near: lines.filter((line) => !isFar(line)), far: lines.filter(isFar) };
}

function textsOf(plot: LinePlot, curves: readonly Curve[], near: Line[], far: Line[]): string[] {
  const shown = plot.shown ?? threeDigits;
  // A value to compare with is a round one, or needs no more digits than it has.
  const beside = plot.shown ?? ((value: number) => String(Number(value.toPrecision(3))));
  return [
    ...curves.map((curve) => `${curve.name} ${shown(lastPoint(curve)![1])}`),
    ...near.map(({ label, y }) => `${label} ${beside(y)}`),
    ...far.map(({ label, y }) => `↑ ${label} ${beside(y)}`),
  ];
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  return size >= 0.001 && size < 1000 ? value.toPrecision(3) : String(Number(value.toPrecision(3)));
}

function layout(plot: LinePlot, texts: readonly string[]): Area {
  const { width = 960, height = 300, zones = [] } = plot;
  const top = captionHeight(plot, width) + 36;
  const right = Math.round(width - margin - sideLabelsWidth(texts) - zonesWidth(zones));
  return { left: margin + 46, right, top, bottom: top + height };
}

/** No rounding: a run of 1,043 steps fills the plot. */
function domainOf(curves: readonly Curve[], strip: readonly Point[] = []): [number, number] {
  const xs = [...curves.map(({ points }) => points), strip].flatMap((points) =>
    points.length > 0 ? [points[0][0], points[points.length - 1][0]] : [],
  );
  const low = Math.min(...xs);
  const high = Math.max(...xs);
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 1, high + 1] : [low, high];
}

function* valuesOf(curves: readonly Curve[]): Generator<number> {
  for (const { points, interval = [] } of curves) {
    for (const [, value] of points) yield value;
    for (const { low, high } of interval) {
      yield low;
      yield high;
    }
  }
}

/** Small lines below the plot, the first one's baseline at `y`. */
export function footnotes(lines: readonly string[], y: number): Html[] {
  return lines.map(
    (line, at) => html`<text class="quiet small" x="${margin}" y="${y + 16 * at}">${line}</text>`,
  );
}
