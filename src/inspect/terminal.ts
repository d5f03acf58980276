/** A row as a terminal shows it. */
import { count, number, percent } from '../words.ts';
import { shortened } from './arithmetic.ts';
import type { Paint } from './paint.ts';
import type { InspectedImage, InspectedRow, InspectedToken, LabelToken, SeenRow } from './row.ts';
import { auditLines } from './terminal-audit.ts';
import { columnsOf, fitted, visible, visibleCell } from './visible.ts';

export interface Screen {
  paint: Paint;
  /** Width; no end where nobody looks. */
  columns: number;
}

/** The row's header, its conversation, its label tokens and its arithmetic; ends with a line break. */
export function showRow(row: InspectedRow, { paint, columns }: Screen): string {
  if ('refused' in row) return `${paint.strong(`Row ${row.row}`)}  cannot be used\n${visible(row.refused)}\n`;
  const lines = [
    headLine(row, paint),
    ...row.images.map(imageLine),
    '',
    flow(row.tokens, row.images, paint),
    ...table(row.tokens, columns),
    '',
    ...arithmeticLines(row),
    ...(row.wouldBe === undefined ? [] : ['', ...auditLines(row.wouldBe)]),
  ];
  return `${lines.join('\n')}\n`;
}

function headLine({ row, tokens, labelTokens, type, group, cut }: SeenRow, paint: Paint): string {
  const parts = [
    paint.strong(`Row ${row}`),
    `${count(tokens.length, 'token')}, ${number(labelTokens)} of them trained (${percent(labelTokens / tokens.length)})`,
    ...(type === undefined ? [] : [`type ${visible(type)}`]),
    ...(group === undefined ? [] : [`group ${visible(group)}`]),
    ...(cut ? [`${count(cut, 'token')} cut off by data.maxLength`] : []),
  ];
  return parts.join('  ');
}

function imageLine({ file, width, height, grid, tokens }: InspectedImage): string {
  return `${visible(file)}  ${width}x${height} pixels, ${grid[0]}x${grid[1]} = ${count(tokens, 'image token')}`;
}

/** The conversation as it reads; a line break is seen and made, a run of image tokens is one cell. */
function flow(tokens: readonly InspectedToken[], images: readonly InspectedImage[], paint: Paint): string {
  let text = '';
  let image = 0;
  let trained = 0;
  tokens.forEach((token, t) => {
    if (!token.label && token.reason === 'image') {
      const before = tokens[t - 1];
      const begins = before === undefined || before.label || before.reason !== 'image';
      if (begins) text += paint.masked(imageCell(images[image++]));
      return;
    }
    const shown = visible(token.text);
    if (shown !== '')
      text += token.label ? paint.trained(shown, token.loss, trained++ % 2 === 1) : paint.masked(shown);
    if (token.text.includes('\n')) text += '\n'.repeat(token.text.split('\n').length - 1);
  });
  return text;
}

const imageCell = ({ grid, tokens }: InspectedImage) =>
  `<image ${grid[0]}x${grid[1]} = ${count(tokens, 'token')}>`;

type Placed = LabelToken & { at: number };

/** Where each label token stands, what it was predicted from, what it cost and what would have been said instead. */
function table(tokens: readonly InspectedToken[], columns: number): string[] {
  const labels = tokens.flatMap((token, at) => (token.label ? [{ ...token, at }] : []));
  const known = labels.some(({ loss }) => loss !== null);
  const head = ['at', 'from', 'id', 'token', ...(known ? ['probability', 'loss', 'the likeliest here'] : [])];
  const rows = labels.map((label) => [
    String(label.at),
    String(label.predictedFrom),
    String(label.id),
    visibleCell(label.text),
    ...(known ? [chance(label.probability!), label.loss!.toFixed(6), likeliest(label)] : []),
  ]);
  const toTheLeft = [3, 6];
  const widths = head.map((_, c) => Math.max(...[head, ...rows].map((cells) => columnsOf(cells[c]))));
  const pad = (cell: string, c: number) => {
    const spaces = ' '.repeat(widths[c] - columnsOf(cell));
    return toTheLeft.includes(c) ? cell + spaces : spaces + cell;
  };
  return [head, ...rows].map((cells) => fitted(`  ${cells.map(pad).join('  ')}`.trimEnd(), columns));
}

const likeliest = ({ top }: Placed) =>
  top
    .map(
      ({ id, text, probability }) => `${text === '' ? `(${id})` : visibleCell(text)} ${chance(probability)}`,
    )
    .join('  ');

/** Four places, or the exponent where those would be zeros. */
const chance = (probability: number) =>
  probability >= 0.0005 || probability === 0 ? probability.toFixed(4) : probability.toExponential(1);

function arithmeticLines({ arithmetic, answer, labelTokens }: SeenRow): string[] {
  if (arithmetic === null) return [];
  const { sum, loss } = answer;
  const ends = labelTokens - answer.labelTokens;
  if (loss === null || ends === 0) return [shortened(arithmetic)];
  const without = `${sum!.toFixed(4)} / ${answer.labelTokens} = ${loss.toFixed(4)}`;
  return [shortened(arithmetic), `Without the ${count(ends, 'end token')}: ${without}`];
}
