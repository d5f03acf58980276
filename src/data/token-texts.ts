import type { ChatTokenizer } from './tokenizer.ts';

/** What a decoder writes for bytes that are not yet, or never, a whole character. */
const incomplete = '\ufffd';

/**
 * The text of each id, so that the texts joined are the text of all: a character that several tokens spell together
 * stands at the last of them, and the ones before it are empty.
 */
export function tokenTexts(tokenizer: Pick<ChatTokenizer, 'decode'>, ids: ArrayLike<number>): string[] {
  const texts: string[] = [];
  let open: number[] = [];
  for (let t = 0; t < ids.length; t++) {
    open.push(ids[t]);
    const text = tokenizer.decode(open);
    const isLast = t === ids.length - 1;
    if (text.endsWith(incomplete) && !isLast && open.length < longestCharacter) {
      texts.push('');
      continue;
    }
    texts.push(text);
    open = [];
  }
  return texts;
}

/** Bytes of the longest UTF-8 character; each may be a token of its own. */
const longestCharacter = 4;
