/** What somebody scores who never looks at a picture. */
import { normalise } from './match.ts';

export interface Answered {
  question: string;
  answer: string;
  /** The kind of answer, where the data has a column for it. */
  answerType?: string;
}

/** Gives the blind answer to a question, normalised. */
export type BlindGuess = (row: Pick<Answered, 'question' | 'answerType'>) => {
  answer: string;
  /** What it is the commonest training answer of. */
  from: 'question' | 'answerType' | 'all';
};

/**
 * Always the commonest training answer to that question. A question that training does not ask takes the commonest
 * answer of its answer type, and without one the commonest of all. Questions and answers are normalised; ties go to the
 * alphabetically first. Throws RangeError without training rows.
 */
export function blindGuesser(training: readonly Answered[]): BlindGuess {
  if (training.length === 0) throw new RangeError('a floor expected training rows, got none');
  const byQuestion = commonestBy(training, ({ question }) => normalise(question));
  const byType = commonestBy(training, ({ answerType }) => answerType);
  const ofAll = commonestBy(training, () => '').get('')!;
  return ({ question, answerType }) => {
    const known = byQuestion.get(normalise(question));
    if (known !== undefined) return { answer: known, from: 'question' };
    const typical = answerType === undefined ? undefined : byType.get(answerType);
    return typical === undefined ? { answer: ofAll, from: 'all' } : { answer: typical, from: 'answerType' };
  };
}

function commonestBy(
  rows: readonly Answered[],
  keyOf: (row: Answered) => string | undefined,
): Map<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const row of rows) {
    const key = keyOf(row);
    if (key === undefined) continue;
    const answers = counts.get(key) ?? new Map<string, number>();
    const answer = normalise(row.answer);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
    counts.set(key, answers);
  }
  return new Map([...counts].map(([key, answers]) => [key, commonest(answers)]));
}

function commonest(counts: ReadonlyMap<string, number>): string {
  let best = '';
  let most = 0;
  for (const [answer, count] of counts)
    if (count > most || (count === most && answer < best)) [best, most] = [answer, count];
  return best;
}
