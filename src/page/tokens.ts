import { heatLevel, shownProbability } from './heat.ts';
import { type Content, type Html, html } from './html.ts';

/** A token as a strip shows it. What is absent is not spoken of. */
export interface StripToken {
  text: string;
  /** Whether it is trained on. */
  label: boolean;
  /** Nats; null where nothing was computed. */
  loss: number | null;
  id?: number;
  /** Place in the row, or its three coordinates. */
  position?: number | readonly number[];
  /** Why it is no label: `header`, `user` ... */
  reason?: string;
  /** Of this token; `exp(-loss)` where absent. */
  probability?: number;
  /** What the model held likeliest. */
  top?: readonly { id?: number; text: string; probability: number }[];
  /** More lines for the details. */
  notes?: readonly string[];
}

/** A run of image tokens, shown as one cell. */
export interface StripImage {
  imageTokens: number;
  /** Rows and columns of tokens. */
  grid?: readonly [number, number];
  notes?: readonly string[];
}

export type StripCell = StripToken | StripImage;

/**
 * A conversation as text that flows, token by token: trained tokens bright on the heat of their loss, masked ones dim,
 * image runs folded. Details show under the pointer and on focus (arrow keys go along the strip).
 */
export function tokenStrip(cells: readonly StripCell[], name: string): Html {
  const shown = cells.map((cell, at) => {
    if ('imageTokens' in cell) return imageCell(cell, at === 0);
    // A special token has no white space before it; without this, lines would break inside it.
    return [cell.text.startsWith('<') && html`<wbr>`, tokenCell(cell, at === 0)];
  });
  return html`<div class="strip" role="group" aria-label="${name}">${shown}</div>`;
}

/**
 * The same tokens scored twice, one under the other: the text, and below it the loss at the start and at the end.
 * Both lists hold the same texts in the same order.
 */
export function compareStrips(start: readonly StripToken[], end: readonly StripToken[], name: string): Html {
  const columns = end.map((token, at) => {
    const before = start[at];
    const lines = [
      firstLine(token),
      `at the start: ${costLine(before)}`,
      `at the end:   ${costLine(token)}`,
      ...(token.notes ?? []),
    ];
    return html`<span class="pair" title="${lines.join('\n')}" tabindex="${at === 0 ? 0 : -1}"><span class="word">${shownText(token.text)}</span>${costCell(before)}${costCell(token)}</span>`;
  });
  return html`<div class="strip pairs" role="group" aria-label="${name}"><span class="pair names"><span class="word"></span><span>start</span><span>end</span></span>${columns}</div>`;
}

function costCell({ loss }: StripToken): Html {
  if (loss === null) return html`<span class="cost">–</span>`;
  return html`<span class="cost h${heatLevel(loss)}">${shownLoss(loss)}</span>`;
}

function tokenCell(token: StripToken, first: boolean): Html {
  const look = token.label ? (token.loss === null ? 't l' : `t l h${heatLevel(token.loss)}`) : 't';
  return html`<span class="${look}" title="${detailsOf(token)}" tabindex="${first ? 0 : -1}">${shownText(token.text)}</span>`;
}

function imageCell({ imageTokens, grid, notes = [] }: StripImage, first: boolean): Html {
  const size = grid ? `${grid[0]} × ${grid[1]} = ` : '';
  const lines = [`${size}${imageTokens} image tokens`, 'no label: image', ...notes];
  return html`<span class="t image" title="${lines.join('\n')}" tabindex="${first ? 0 : -1}">▦ ${lines[0]}</span>`;
}

/** The lines that a token shows under the pointer. */
export function detailsOf(token: StripToken): string {
  const lines = [firstLine(token)];
  if (token.label) lines.push(`trained: ${costLine(token)}`);
  else lines.push(`no label${token.reason ? `: ${token.reason}` : ''}`);
  if (!token.label && token.loss !== null) lines.push(`would cost ${costLine(token)}`);
  if (token.top && token.top.length > 0) {
    lines.push('the model held likeliest:');
    for (const { text, probability, id } of token.top) {
      const number = id === undefined ? '' : `  ${id}`;
      lines.push(`${shownProbability(probability).padStart(9)}  ${JSON.stringify(text)}${number}`);
    }
  }
  return [...lines, ...(token.notes ?? [])].join('\n');
}

function firstLine({ text, id, position }: StripToken): string {
  const place = typeof position === 'number' ? String(position) : position && `(${position.join(', ')})`;
  return [JSON.stringify(text), id !== undefined && `id ${id}`, place && `position ${place}`]
    .filter(Boolean)
    .join('   ');
}

function costLine({ loss, probability }: StripToken): string {
  if (loss === null) return 'not scored';
  return `loss ${shownLoss(loss)}, probability ${shownProbability(probability ?? Math.exp(-loss))}`;
}

/** Nats as tables show them: two decimals, more where they would all be zero. */
export function shownLoss(loss: number): string {
  if (!Number.isFinite(loss)) return Number.isNaN(loss) ? 'NaN' : '∞';
  if (loss >= 99.5) return loss.toFixed(0);
  if (loss >= 0.005 || loss === 0) return loss.toFixed(2);
  return loss < 0.0005 ? '< 0.001' : loss.toFixed(3);
}

/**
 * Text whose white space can be seen and is still there to be copied: dots in spaces and arrows before breaks are
 * drawn by the styles. A token without text is part of a character that ends in a later one.
 */
export function shownText(text: string): Content {
  if (text === '') return html`<i class="part"></i>`;
  return text.split(/([ \n\t]|\r)/).map((part) => {
    if (part === '\n' || part === '\r') return html`<i class="n">${'\n'}</i>`;
    if (part === ' ') return html`<i class="s"> </i>`;
    if (part === '\t') return html`<i class="tab">${'\t'}</i>`;
    return part;
  });
}
