import { type Html, html } from '../html.ts';
import { type Area, type Axis, isDrawable, round, type Scale, scaleOf, xAxis, xAxisHeight } from './axes.ts';
import { type Caption, captionHeight, margin, plotFrame } from './frame.ts';
import { bold } from './side-labels.ts';
import { fitText, textWidth } from './text-width.ts';

export interface DotPlot extends Caption {
  x: Axis;
  /** The names of the values, in the order of their colours. */
  names: readonly string[];
  /** From top to bottom; a value that is null has no dot. */
  rows: readonly DotRow[];
  /** Shows a value at the end of its row; two decimals where absent. */
  shown?: (value: number) => string;
  width?: number;
}

export interface DotRow {
  label: string;
  note?: string;
  values: readonly (number | null)[];
}

const rowHeight = 34;
const valueWidth = 48;

/** Values of things with names, a row each: a dot for each value, and the values in figures. */
export function dotPlot(plot: DotPlot): string {
  const { width = 640, names, rows, shown = (value: number) => value.toFixed(2) } = plot;
  const top = captionHeight(plot, width) + (names.length > 1 ? 46 : 24);
  const labels = labelsWidth(rows, width);
  const area: Area = {
    left: Math.round(margin + labels + 12),
    right: width - margin - valueWidth * names.length,
    top,
    bottom: top + rowHeight * rows.length + 6,
  };
  const values = rows.flatMap((row) => row.values.filter((value) => value !== null));
  const x = scaleOf(plot.x, values, [area.left, area.right]);
  const drawn = rows.map((row, at) => {
    const y = top + rowHeight * (at + 0.5);
    return html`<g>${rowLabel(row, area.left - 12, y, labels)}${rowDots(row, x, y, area)}${rowFigures(row, shown, area.right, y)}</g>`;
  });
  const body = html`${names.length > 1 && legend(names, top - 24)}${drawn}${xAxis(plot.x, x, area)}`;
  return plotFrame(plot, width, area.bottom + xAxisHeight + 12, body);
}

function labelsWidth(rows: readonly DotRow[], width: number): number {
  const widest = Math.max(
    60,
    ...rows.map(({ label }) => bold * textWidth(label, 13)),
    ...rows.map(({ note = '' }) => textWidth(note, 12)),
  );
  return Math.min(0.38 * width, widest + 1);
}

function rowLabel({ label, note }: DotRow, right: number, y: number, width: number): Html {
  const below =
    note !== undefined &&
    html`<text class="quiet small end" x="${right}" y="${y + 13}">${fitText(note, 12, width)}</text>`;
  return html`<text class="strong end" x="${right}" y="${below ? y - 2 : y + 4}">${fitText(label, 13, width / bold)}</text>${below}`;
}

function rowDots({ values }: DotRow, x: Scale, y: number, area: Area): Html {
  const places = values.map((value) => (value !== null && isDrawable(value) ? round(x(value)) : undefined));
  const farthest = Math.max(area.left, ...places.filter((place) => place !== undefined));
  const dots = places.map(
    (place, at) => place !== undefined && html`<circle class="f${at}" cx="${place}" cy="${y}" r="5.5"/>`,
  );
  return html`<line class="grid" x1="${area.left}" x2="${farthest}" y1="${y}" y2="${y}"/>${dots}`;
}

function rowFigures({ values }: DotRow, shown: (value: number) => string, left: number, y: number): Html[] {
  return values.map((value, at) => {
    const text = value === null || !isDrawable(value) ? '–' : shown(value);
    return html`<text class="small end strong f${at}" x="${left + valueWidth * (at + 1)}" y="${y + 4}">${text}</text>`;
  });
}

function legend(names: readonly string[], y: number): Html[] {
  let left = margin;
  return names.map((name, at) => {
    const place = Math.round(left);
    left += textWidth(name, 13) + 44;
    return html`<g><circle class="f${at}" cx="${place + 6}" cy="${y - 4}" r="5.5"/><text x="${place + 18}" y="${y}">${name}</text></g>`;
  });
}
