/**
 * The width of a text in pixels, estimated, since nothing here can measure: a little more than system fonts need.
 * Wide characters (CJK, emoji) count double.
 */
export function textWidth(text: string, size: number): number {
  let units = 0;
  for (const character of text) units += unitsOf(character.codePointAt(0)!);
  return units * size;
}

function unitsOf(code: number): number {
  if (code >= 0x1100 && !(code >= 0x2000 && code < 0x2e80)) return 1.05;
  if ("iljt.,:;|!'()[] ".includes(String.fromCodePoint(code))) return 0.34;
  if ('mwMW—%'.includes(String.fromCodePoint(code))) return 0.86;
  return code >= 0x41 && code <= 0x5a ? 0.68 : 0.575;
}

/** Words in lines of at most `width` pixels; a word that is longer stands alone. */
export function wrapText(text: string, size: number, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line ? `${line} ${word}` : word;
    if (line && textWidth(longer, size) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  if (line) lines.push(line);
  return lines;
}

/** The beginning of a text that fits, with an ellipsis where something is left out. */
export function fitText(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const characters = [...text];
  let kept = '';
  for (const character of characters) {
    if (textWidth(`${kept}${character}…`, size) > width) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}
