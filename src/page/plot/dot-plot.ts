import { html } from '../html.ts';
import { type Area, type Axis, round, scaleOf, xAxis, xAxisHeight } from './axes.ts';
import { type Caption, captionHeight, margin, plotFrame } from './frame.ts';
import { fitText, textWidth } from './text-width.ts';

export interface DotPlot extends Caption {
  x: Axis;
  /** The names of the values, in the order of their colours. */
  names: readonly string[];
  /** From top to bottom; a value that is null has no dot. */
  rows: readonly { label: string; note?: string; values: readonly (number | null)[] }[];
  /** Shows a value beside its dot; two decimals where absent. */
  shown?: (value: number) => string;
  width?: number;
}

const rowHeight = 34;

/** Values of things with names, a row each: dots on a line from zero. */
export function dotPlot(plot: DotPlot): string {
  const { width = 640, names, rows, shown = (value: number) => value.toFixed(2) } = plot;
  const top = captionHeight(plot, width) + (names.length > 1 ? 46 : 24);
  const widestLabel = Math.max(...rows.map(({ label }) => textWidth(label, 13) * 1.08));
  const widestNote = Math.max(...rows.map(({ note = '' }) => textWidth(note, 12)));
  const labels = Math.min(0.4 * width, Math.max(60, widestLabel, widestNote)) + 12;
  const area: Area = {
    left: margin + labels,
    right: width - margin - 46,
    top,
    bottom: top + rowHeight * rows.length + 6,
  };
  const x = scaleOf(
    plot.x,
    rows.flatMap(({ values }) => values.filter((value) => value !== null)),
    [area.left, area.right],
  );
  const drawn = rows.map(({ label, note, values }, row) => {
    const y = top + rowHeight * (row + 0.5);
    const dots = values.map((value, at) => {
      if (value === null || !Number.isFinite(value)) return undefined;
      return html`<circle class="f${at}" cx="${round(x(value))}" cy="${y}" r="5.5"/>`;
    });
    const finite = values.filter((value) => value !== null).filter(Number.isFinite);
    const highest = Math.max(...finite);
    const beside =
      finite.length > 0 &&
      html`<text class="small" x="${round(x(highest)) + 11}" y="${y + 4}">${shown(values[0] !== null && Number.isFinite(values[0]) ? values[0] : highest)}</text>`;
    const line =
      finite.length > 0 &&
      html`<line class="grid" x1="${area.left}" x2="${round(x(highest))}" y1="${y}" y2="${y}"/>`;
    return html`<g>${line}<text class="strong end" x="${area.left - 12}" y="${note ? y - 2 : y + 4}">${fitText(label, 14, labels - 8)}</text>${
      note &&
      html`<text class="quiet small end" x="${area.left - 12}" y="${y + 13}">${fitText(note, 12, labels - 8)}</text>`
    }${dots}${beside}</g>`;
  });
  const body = html`${names.length > 1 && legend(names, top - 24)}${drawn}${xAxis(plot.x, x, area)}`;
  return plotFrame(plot, width, area.bottom + xAxisHeight + 12, body);
}

function legend(names: readonly string[], y: number) {
  let left = margin;
  return names.map((name, at) => {
    const place = left;
    left += textWidth(name, 13) * 1.08 + 40;
    return html`<g><circle class="f${at}" cx="${place + 6}" cy="${y - 4}" r="5.5"/><text x="${place + 18}" y="${y}">${name}</text></g>`;
  });
}
