import { describe, expect, it } from 'vitest';
import { createTokenReader, tokenTexts } from '../../src/data/token-texts.ts';
import { stream } from '../../src/random.ts';
import { tinyFolder, tokenizerOf } from './conversations.ts';

/** A token a byte. */
const bytes = {
  decode: (ids: Iterable<number>) => new TextDecoder().decode(Uint8Array.from(ids)),
};
const utf8 = (text: string) => [...new TextEncoder().encode(text)];

describe('createTokenReader', () => {
  it('tells a character with the last of its bytes', () => {
    const reader = createTokenReader(bytes);
    const pieces = utf8('a€😀').map((byte) => reader.read(byte));
    expect(pieces).toEqual(['a', '', '', '€', '', '', '', '😀']);
    expect(reader.end()).toBe('');
  });

  it('tells broken bytes as the decoder does, and what is left at the end', () => {
    const reader = createTokenReader(bytes);
    const ids = [0xbf, 0xf2, 0xbf, 0xbf, 0xbf, 0x41, 0xe2, 0x82];
    const text = ids.map((id) => reader.read(id)).join('') + reader.end();
    expect(text).toBe('\ufffd\u{bffff}A\ufffd');
    expect(reader.end()).toBe('');
  });

  it.each([1, 2, 3, 4])('gives random tokens the text that all have together (%s)', async (seed) => {
    const tiny = await tokenizerOf(tinyFolder);
    const draws = stream(seed, 'tokens');
    for (const [tokenizer, words] of [
      [bytes, 256],
      [tiny, tiny.vocabularySize],
    ] as const) {
      const ids = Array.from({ length: 400 }, () => draws.integer(words));
      expect(tokenTexts(tokenizer, ids).join('')).toBe(tokenizer.decode(ids));
    }
    // Nothing but broken bytes: far more than are kept.
    const broken = Array.from({ length: 300 }, () => 0x80 + draws.integer(0x40));
    expect(tokenTexts(bytes, broken).join('')).toBe(bytes.decode(broken));
  });
});
