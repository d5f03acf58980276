/** A small trainer of byte-level byte-pair encoding (Sennrich et al. 2016; bytes as in GPT-2). */

/** How Qwen2 cuts text into words before any merge; `(?i:...)` is spelled out for older JavaScript. */
const words =
  /'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** The 256 characters that stand for bytes 0 to 255: printable ones for themselves, the rest from U+0100 on. */
export const byteCharacters: readonly string[] = (() => {
  let spare = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCharCode(printable ? byte : spare++);
  });
})();

export type Merge = [left: string, right: string];

/**
 * Learns up to `limit` merges: at each turn the pair that stands next to each other most often in `texts`
 * (ties: the first in code-unit order) becomes one symbol. Stops early where no pair is left twice.
 */
export function learnMerges(texts: readonly string[], limit: number): Merge[] {
  const counts = countWords(texts);
  const merges: Merge[] = [];
  while (merges.length < limit) {
    const best = commonestPair(counts);
    if (!best) break;
    merges.push(best);
    for (const word of counts) applyMerge(word.symbols, best);
  }
  return merges;
}

interface CountedWord {
  symbols: string[];
  count: number;
}

function countWords(texts: readonly string[]): CountedWord[] {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const [word] of text.normalize('NFC').matchAll(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(encoder.encode(word), (byte) => byteCharacters[byte]),
    count,
  }));
}

function commonestPair(counted: readonly CountedWord[]): Merge | undefined {
  const pairs = new Map<string, number>();
  for (const { symbols, count } of counted)
    for (let i = 1; i < symbols.length; i++) {
      const pair = `${symbols[i - 1]} ${symbols[i]}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + count);
    }
  let best = '';
  let most = 1;
  for (const [pair, count] of pairs)
    if (count > most || (count === most && best !== '' && pair < best)) [best, most] = [pair, count];
  // No symbol holds a space: the byte 32 is written as a letter.
  return best === '' ? undefined : (best.split(' ') as Merge);
}

function applyMerge(symbols: string[], [left, right]: Merge): void {
  for (let i = 0; i + 1 < symbols.length; i++)
    if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, left + right);
}
