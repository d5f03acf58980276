/** Texts of tokens as they can be looked at: nothing in them moves the cursor, hides or turns around. */

/** Control and format characters, and line separators. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const signs: Record<string, string> = { '\n': '⏎', '\t': '⇥', '\r': '␍' };

/** On one line: line breaks and tabs as signs, other control characters as their numbers. */
export function visible(text: string): string {
  return text.replace(unseen, (character) => signs[character] ?? numbered(character));
}

const numbered = (character: string) => `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** The same for a cell of its own, where a space at either end would not be seen. */
export function visibleCell(text: string): string {
  if (text === '') return '(part of a character)';
  return visible(text).replace(/^ +| +$/g, (spaces) => '·'.repeat(spaces.length));
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that a text takes on a terminal, nearly. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += wide.test(character) ? 2 : /\p{Mn}/u.test(character) ? 0 : 1;
  return columns;
}

/** At most `columns` wide; three dots say that there was more. */
export function fitted(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let shown = '';
  let used = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns - 3) break;
    shown += character;
  }
  return `${shown}...`;
}
