/**
 * Holds the numbers of a document to computed ones. A claim is a stretch of the document in which every number was
 * filled in from a value; a number that stands in no claim is one that nobody computed.
 */

/** `two` to `twelve`, and the like, are numbers too. */
const number =
  /\d+(?:,\d{3})*(?:\.\d+)?|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|halves?|twice|thrice|dozen|hundred|thousand)\b/gi;

/** A claim. What is written by hand in it must hold no number; numbers come in as values, formatted by the caller. */
export function said(words: TemplateStringsArray, ...values: (string | number)[]): string {
  for (const word of words) {
    if (word.match(number)) throw new Error(`a claim expected computed numbers alone, got "${word}"`);
  }
  return String.raw({ raw: words }, ...values);
}

/** A row of a Markdown table whose cells are claims. */
export const tableRow = (...cells: string[]) => `| ${cells.join(' | ')} |`;

/** White space as the reader sees it, so that a claim may stand over a line's end. */
export const flowing = (text: string) => text.replace(/\s+/g, ' ');

/** Claims that do not stand in the text. */
export function missingClaims(text: string, claims: readonly string[]): string[] {
  const flow = flowing(text);
  return claims.filter((claim) => placesOf(flow, flowing(claim)).length === 0);
}

/** A number of a text, and the words around it. */
export interface Found {
  index: number;
  found: string;
  around: string;
}

/** Numbers of the text that stand in no claim and in no allowed name; `index` counts in the flowing text. */
export function looseNumbers(text: string, claims: readonly string[], allowed: readonly RegExp[]): Found[] {
  const flow = flowing(text);
  const covered = new Uint8Array(flow.length);
  const cover = (index: number, length: number) => covered.fill(1, index, index + length);
  for (const claim of claims.map(flowing)) for (const at of placesOf(flow, claim)) cover(at, claim.length);
  for (const name of allowed) for (const match of flow.matchAll(name)) cover(match.index, match[0].length);
  return [...flow.matchAll(number)]
    .filter(({ index, 0: found }) => covered.subarray(index, index + found.length).includes(0))
    .map(({ index, 0: found }) => ({
      index,
      found,
      around: flow.slice(Math.max(0, index - 30), index + 30),
    }));
}

/** Where a claim stands as a whole: `0.9` does not stand in `0.95`, nor in `10.9`. */
function placesOf(flow: string, claim: string): number[] {
  const places: number[] = [];
  for (let at = flow.indexOf(claim); at >= 0; at = flow.indexOf(claim, at + 1)) {
    const after = flow.slice(at + claim.length, at + claim.length + 2);
    const runsOn = /\d$/.test(claim) && /^(\d|[.,]\d)/.test(after);
    const runsIn = /^\d/.test(claim) && /[\d.,]/.test(flow[at - 1] ?? '');
    if (!runsOn && !runsIn) places.push(at);
  }
  return places;
}
