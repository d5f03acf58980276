/** Sentences with their formulas and citations, set in Markdown or LaTeX; whatever comes from files stays text. */
import { type CitationKey, citations } from './citations.ts';

export type Piece = string | { code: string } | { formula: string } | { cite: CitationKey[] };
/** Pieces one after the other; they bring their own spaces. */
export type Prose = Piece[];

/** Words between pieces: say`with ${code(name)} and`. Absent values leave nothing. */
export function say(texts: TemplateStringsArray, ...values: (Piece | Prose | number | undefined)[]): Prose {
  return texts.flatMap((text, i): Prose => {
    const value = values[i];
    if (value === undefined) return [text];
    return [text, ...(Array.isArray(value) ? value : [typeof value === 'number' ? String(value) : value])];
  });
}

export const code = (text: string): Piece => ({ code: text });
/** LaTeX, without the signs around it; ours, never anybody's text. */
export const formula = (latex: string): Piece => ({ formula: latex });
export const cite = (...keys: CitationKey[]): Piece => ({ cite: keys });

/** A number in powers of ten where it is small: 5e-6 as 5 x 10^-6. */
export function scientific(value: number): Piece {
  const short = Number(value.toPrecision(3));
  if (short === 0 || Math.abs(short) >= 0.001) return String(short);
  const [digits, exponent] = short.toExponential().split('e');
  return formula(`${digits === '1' ? '' : `${digits} \\times `}10^{${Number(exponent)}}`);
}

/** The keys in the order of their first citation. */
export function citedBy(prose: Prose): CitationKey[] {
  const keys = prose.flatMap((piece) => (typeof piece === 'object' && 'cite' in piece ? piece.cite : []));
  return [...new Set(keys)];
}

export function asMarkdown(prose: Prose): string {
  return prose
    .map((piece) => {
      if (typeof piece === 'string') return escapeMarkdown(piece);
      if ('code' in piece) return markdownCode(piece.code);
      if ('formula' in piece) return `$${piece.formula}$`;
      return `(${piece.cite.map((key) => citations[key].text).join('; ')})`;
    })
    .join('');
}

export function asLatex(prose: Prose): string {
  return prose
    .map((piece) => {
      if (typeof piece === 'string') return escapeLatex(piece);
      if ('code' in piece) return `\\texttt{${escapeLatex(piece.code)}}`;
      if ('formula' in piece) return `$${piece.formula}$`;
      return `\\cite{${piece.cite.join(',')}}`;
    })
    .join('');
}

/** White space of any kind is one space, and what cannot be seen is left out: a name must not end a paragraph. */
function oneLine(text: string): string {
  return text.replace(/\s+/gu, ' ').replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, '');
}

export function escapeMarkdown(text: string): string {
  return oneLine(text).replace(/[\\`*_[\]<>#|~&$!]/g, '\\$&');
}

/** A code span may hold anything but its own fence. */
function markdownCode(text: string): string {
  const line = oneLine(text);
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = line.startsWith('`') || line.endsWith('`') || line.trim() === '' ? ' ' : '';
  return `${fence}${pad}${line}${pad}${fence}`;
}

const latexNames: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '{': '\\{',
  '}': '\\}',
  $: '\\$',
  '&': '\\&',
  '#': '\\#',
  '%': '\\%',
  _: '\\_',
  '^': '\\textasciicircum{}',
  '~': '\\textasciitilde{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '{\\char34}', // \\textquotedbl is not in every font encoding
  '`': '\\textasciigrave{}',
  '-': '-{}', // two of them would be set as a dash
};

export function escapeLatex(text: string): string {
  return oneLine(text)
    .replace(/[\\{}$&#%_^~<>|"`]|-(?=-)/g, (sign) => latexNames[sign])
    .replace(/(\d) \\%/g, '$1\\,\\%');
}
