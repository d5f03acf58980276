import type { ChatTokenizer } from './tokenizer.ts';

/** What a decoder writes for bytes that are not yet, or never, a whole character. */
const incomplete = '\ufffd';

/** Tokens that are kept to read the next one with; a character has 4 bytes at most, each may be a token. */
const kept = { most: 64, least: 16 };

/**
 * The text of each id, so that the texts joined are the text of all: a character that several tokens spell together
 * stands at the last of them, and the ones before it are empty.
 */
export function tokenTexts(tokenizer: Pick<ChatTokenizer, 'decode'>, ids: ArrayLike<number>): string[] {
  const reader = createTokenReader(tokenizer);
  return Array.from(ids, (id, t) => reader.read(id) + (t === ids.length - 1 ? reader.end() : ''));
}

/** Text of ids as they come. */
export interface TokenReader {
  /** What can be told after this id; empty while a character is not whole. */
  read(id: number): string;
  /** What is left when no id follows. */
  end(): string;
}

export function createTokenReader(
  tokenizer: Pick<ChatTokenizer, 'decode'>,
  options: { skipSpecial?: boolean } = {},
): TokenReader {
  let open: number[] = [];
  let told = 0; // characters of the open ids' text
  return {
    read(id) {
      open.push(id);
      const text = tokenizer.decode(open, options);
      // What stands before the last character is settled, be it broken or whole.
      const settled = text.endsWith(incomplete) ? text.length - 1 : text.length;
      const news = text.slice(told, settled);
      told = Math.max(told, settled);
      if (settled === text.length) {
        open = [];
        told = 0;
      } else if (open.length > kept.most) {
        open = open.slice(-kept.least);
        told = tokenizer.decode(open, options).length - 1;
      }
      return news;
    },
    end() {
      const rest = tokenizer.decode(open, options).slice(told);
      open = [];
      told = 0;
      return rest;
    },
  };
}
