/** How much longer a tokenizer's own steps may make a text before it is cut into tokens. */
import { depthLimit } from '../formats/json.ts';

/** Times its characters at most, of a `normalizer` or `pre_tokenizer` of tokenizer.json: those of a sequence multiply. */
export function growthOf(part: unknown, depth = 0): number {
  if (typeof part !== 'object' || part === null || depth > depthLimit) return 1;
  const { type, normalizers, pretokenizers, ...words } = part as Record<string, unknown>;
  if (type === 'Sequence') {
    const steps = [normalizers, pretokenizers].flatMap((list) => (Array.isArray(list) ? list : []));
    return steps.reduce((growth: number, step) => growth * growthOf(step, depth + 1), 1);
  }
  if (type === 'Replace') return replaced(words.pattern, lengthOf(words.content));
  if (type === 'Prepend') return 1 + lengthOf(words.prepend);
  if (type === 'Metaspace') return 1 + lengthOf(words.replacement);
  if (type === 'ByteLevel') return 4; // a character is up to four bytes, and each becomes a character
  return 1;
}

/** A regular expression may match nothing, between any two characters. */
function replaced(pattern: unknown, content: number): number {
  const text = (pattern as { String?: unknown } | null)?.String;
  return typeof text === 'string' && text !== '' ? Math.max(1, content / text.length) : 1 + content;
}

function lengthOf(text: unknown): number {
  return typeof text === 'string' ? text.length : 0;
}
