/** Scores of answers, and what they must be held against. Pure functions. */
import { shuffle, stream } from '../src/random.ts';

export interface Answered {
  question: string;
  answer: string;
}

/** Equal after trimming and lower-casing; nothing else is forgiven. */
export function exactMatch(answer: string, expected: string): boolean {
  return normalise(answer) === normalise(expected);
}

const normalise = (text: string) => text.trim().toLowerCase();

/** Share of answers that match, 0 to 1; 0 of nothing is 0. */
export function accuracy(answers: readonly string[], expected: readonly string[]): number {
  const hits = expected.filter((text, i) => exactMatch(answers[i] ?? '', text)).length;
  return expected.length > 0 ? hits / expected.length : 0;
}

/**
 * What a blind guesser says: the commonest training answer to each question (ties: the first in alphabetical
 * order), and to a question never seen the commonest of all. Returns one guess for each row of `rows`.
 */
export function floorGuesses(training: readonly Answered[], rows: readonly { question: string }[]): string[] {
  const byQuestion = new Map<string, string[]>();
  for (const { question, answer } of training) {
    const answers = byQuestion.get(normalise(question));
    if (answers) answers.push(answer);
    else byQuestion.set(normalise(question), [answer]);
  }
  const guesses = new Map([...byQuestion].map(([question, answers]) => [question, commonest(answers)]));
  const overall = commonest(training.map((row) => row.answer));
  return rows.map((row) => guesses.get(normalise(row.question)) ?? overall);
}

/** Share of `rows` that the blind guesser gets right, 0 to 1. */
export function floor(training: readonly Answered[], rows: readonly Answered[]): number {
  return accuracy(
    floorGuesses(training, rows),
    rows.map((row) => row.answer),
  );
}

function commonest(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(normalise(answer), (counts.get(normalise(answer)) ?? 0) + 1);
  let best = '';
  let most = 0;
  for (const [answer, count] of counts)
    if (count > most || (count === most && answer < best)) [best, most] = [answer, count];
  return best;
}

/**
 * Gives each row the index of a row whose picture it gets instead, always one of another group (scene).
 * The groups are put in a random circle and every row takes the picture of the next group, so each picture
 * stays about as frequent as it was. Throws RangeError where there is only one group.
 */
export function shufflePictures(groups: readonly string[], seed: number): number[] {
  const circle = shuffle([...new Set(groups)].sort(), stream(seed, 'shuffled pictures'));
  if (circle.length < 2)
    throw new RangeError(`shuffling pictures expected 2 groups or more, got ${circle.length}`);
  const first = new Map<string, number>();
  groups.forEach((group, i) => {
    if (!first.has(group)) first.set(group, i);
  });
  const next = new Map(circle.map((group, i) => [group, circle[(i + 1) % circle.length]]));
  return groups.map((group) => first.get(next.get(group)!)!);
}
