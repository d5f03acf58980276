import { type Html, html } from '../html.ts';
import { type Area, round } from './axes.ts';
import { spread } from './labels.ts';
import { fitText, textWidth, wrapText } from './text-width.ts';

/** A name beside the right edge of a plot, at the height of what it names. */
export interface SideLabel {
  text: string;
  y: number;
  /** Of its line among the colours; quiet where it has none. */
  color?: number;
}

const size = 13;
const lineHeight = 16;
const gap = 14;
const widest = 190;
/** Bold is wider than `textWidth` thinks. */
export const bold = 1.08;

/** Pixels that the labels need, their gap to the plot counted. */
export function sideLabelsWidth(texts: readonly string[]): number {
  const lines = texts.flatMap((text) => linesOf(text));
  return gap + Math.max(60, ...lines.map((line) => bold * textWidth(line, size)));
}

function linesOf(text: string): string[] {
  return wrapText(text, size, widest / bold)
    .slice(0, 3)
    .map((line) => fitText(line, size, widest / bold));
}

/** One that had to move away from its line keeps a thin one to it. */
export function sideLabels(labels: readonly SideLabel[], area: Area): Html[] {
  const texts = labels.map(({ text }) => linesOf(text));
  const places = spread(
    labels.map(({ y }) => y),
    texts.map((lines) => lineHeight * lines.length + 2),
    area.top - 12,
    area.bottom + 8,
  );
  return labels.map(({ y, color }, at) => {
    const left = area.right + gap;
    const first = places[at] - (lineHeight * (texts[at].length - 1)) / 2 + 4.5;
    const look = color === undefined ? 'quiet' : `strong f${color}`;
    const line = color === undefined ? 'axis thin' : `s${color} thin`;
    const rows = texts[at].map(
      (text, row) =>
        html`<text class="${look}" x="${left}" y="${round(first + lineHeight * row)}">${text}</text>`,
    );
    return html`<g><line class="${line}" x1="${area.right + 3}" x2="${left - 3}" y1="${round(y)}" y2="${round(places[at])}"/>${rows}</g>`;
  });
}
