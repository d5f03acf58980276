import { themes } from '../../page/colors.ts';
import { type Html, html } from '../../page/html.ts';
import { textWidth } from '../../page/plot/text-width.ts';

/** The parts of a conversation in their order, and which of them the loss sees. */
const parts: { text: string; trained: boolean }[] = [
  { text: 'system', trained: false },
  { text: 'picture', trained: false },
  { text: 'question', trained: false },
  { text: 'header', trained: false },
  { text: 'answer', trained: true },
  { text: '<|im_end|> ↵', trained: true },
];

const { accent, rule, quiet, card } = themes.light;
const size = 11.5;
const height = 22;

/** A row of boxes, trained ones filled; its left upper corner at x, y. */
export function maskStrip(x: number, y: number): Html {
  let left = x;
  const boxes = parts.map(({ text, trained }) => {
    const width = textWidth(text, size) + 16;
    const at = left;
    left += width + 4;
    return html`<g><rect x="${at}" y="${y}" width="${width}" height="${height}" rx="4" fill="${trained ? accent : rule}"/><text x="${at + width / 2}" y="${y + 15}" font-size="${size}" text-anchor="middle" fill="${trained ? card : quiet}">${text}</text></g>`;
  });
  return html`<g>${boxes}</g>`;
}
