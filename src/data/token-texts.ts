import type { ChatTokenizer } from './tokenizer.ts';

/** What a decoder writes for bytes that are not yet, or never, a whole character. */
const incomplete = '\ufffd';

/** Bytes of the longest UTF-8 character; each may be a token of its own. */
const longestCharacter = 4;

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
  const take = () => {
    const text = tokenizer.decode(open, options);
    open = [];
    return text;
  };
  return {
    read(id) {
      open.push(id);
      const text = tokenizer.decode(open, options);
      if (text.endsWith(incomplete) && open.length < longestCharacter) return '';
      return take();
    },
    end: () => (open.length > 0 ? take() : ''),
  };
}
