import { LorikeetError } from '../errors.ts';
import type { Turn } from './example.ts';

/**
 * What every conversation must hold to be trained on: a user speaks before the assistant, every answer has
 * words, only texts that are whole, and pictures only where they are asked about.
 *
 * @throws LorikeetError 'data' without a place: the caller knows the row.
 */
export function checkConversation(turns: readonly Turn[]): void {
  checkSize(turns);
  turns.forEach(checkTurn);
  const speakers = turns.map(({ role }) => role).filter((role) => role !== 'system');
  if (!speakers.includes('assistant')) {
    throw new LorikeetError('data', {
      what: `an assistant turn expected, got ${speakers.length === 0 ? 'no turn at all' : `only ${speakers.join(', ')}`}`,
      fix: 'Give the row an answer: only what the assistant says is trained.',
    });
  }
  if (speakers[0] !== 'user') {
    throw new LorikeetError('data', {
      what: 'a user turn expected before the first assistant turn, got none',
      fix: 'Put the question in front of its answer.',
    });
  }
}

/** What a conversation must hold to be answered: it ends with the user's turn. @throws LorikeetError 'data'. */
export function checkPrompt(turns: readonly Turn[]): void {
  checkSize(turns);
  turns.forEach(checkTurn);
  const speakers = turns.map(({ role }) => role).filter((role) => role !== 'system');
  if (speakers.at(-1) === 'user' && speakers[0] === 'user') return;
  throw new LorikeetError('data', {
    what: `a conversation that begins and ends with a user turn expected, got ${speakers.join(', ') || 'no turn at all'}`,
    fix: 'End with the question: the answer is what the model says next.',
  });
}

/** More than any model reads; its tokens take a hundred times the memory of a text. */
const mostCharacters = 2 ** 22;
/** Templates go through them turn by turn, with work for each that grows with their number. */
const mostParts = 2 ** 12;

function checkSize(turns: readonly Turn[]): void {
  let [characters, parts] = [0, 0];
  for (const { content } of turns) {
    parts += Math.max(1, content.length);
    for (const part of content) if (part.type === 'text') characters += part.text.length;
  }
  const tooMany =
    parts > mostParts
      ? `${mostParts} turns, texts and images in all expected, got ${parts}`
      : characters > mostCharacters && `${mostCharacters} characters in all expected, got ${characters}`;
  if (!tooMany) return;
  throw new LorikeetError('data', {
    what: `at most ${tooMany}`,
    fix: 'Cut the row into several, or take it out.',
  });
}

function checkTurn({ role, content }: Turn, index: number): void {
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const hasImage = content.some((part) => part.type === 'image');
  if (/\p{Surrogate}/u.test(text)) {
    throw new LorikeetError('data', {
      what: `turn ${index} (${role}) expected whole characters, got half of a surrogate pair`,
      fix: 'The text was cut in the middle of a character when the file was written: write it again.',
    });
  }
  if (hasImage && role !== 'user') {
    throw new LorikeetError('data', {
      what: `turn ${index} (${role}) expected text, got an image`,
      fix: 'Pictures belong to user turns.',
    });
  }
  if (text.trim() !== '' || hasImage || role === 'system') return;
  throw new LorikeetError('data', {
    what: `turn ${index} (${role}) expected text, got ${text === '' ? 'an empty one' : 'nothing but white space'}`,
    fix:
      role === 'assistant'
        ? 'An empty answer teaches nothing: fill it or remove the row.'
        : 'Fill it or remove the row.',
  });
}
