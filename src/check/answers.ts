import { createHash } from 'node:crypto';
import type { Example } from '../data/example.ts';
import { commonest } from './commonest.ts';
import type { SplitCheck } from './data-check.ts';
import type { GoodRow } from './rows.ts';

const answersShown = 5;

/** Characters that are kept of an answer; a longer one is told apart by its hash. */
const keptCharacters = 80;

/** The answers of a split, trimmed and lower-cased. */
export class AnswerTally {
  readonly #counts = new Map<string, { text: string; count: number }>();
  #total = 0;

  add({ example }: GoodRow): void {
    for (const answer of answersOf(example)) {
      const key = keyOf(answer);
      const text = answer.length > keptCharacters ? `${answer.slice(0, keptCharacters)}...` : answer;
      const known = this.#counts.get(key) ?? { text, count: 0 };
      known.count++;
      this.#counts.set(key, known);
      this.#total++;
    }
  }

  result(): SplitCheck['answers'] {
    const distinct = this.#counts.size;
    return { distinct, commonest: commonest([...this.#counts.values()], answersShown) };
  }

  /** The share of these answers that none of the others is. */
  unseenIn(others: AnswerTally): number {
    let unseen = 0;
    for (const [key, { count }] of this.#counts) if (!others.#counts.has(key)) unseen += count;
    return this.#total === 0 ? 0 : unseen / this.#total;
  }
}

function answersOf({ turns }: Example): string[] {
  const answers = turns.filter(({ role }) => role === 'assistant');
  return answers.map(({ content }) => {
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
    return text.trim().toLowerCase();
  });
}

function keyOf(answer: string): string {
  if (answer.length <= keptCharacters) return answer;
  return `${answer.slice(0, keptCharacters)}\0${createHash('sha256').update(answer).digest('base64')}`;
}
