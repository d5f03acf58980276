/** Which answers count as right. Strict: "no" inside a sentence is not the answer "no". */

/** What is forgiven in a match, in words for people. */
export const normalisation = 'trimmed and lower-cased, nothing more';

export function normalise(text: string): string {
  return text.trim().toLowerCase();
}

/** Equal once normalised. */
export function exactMatch(predicted: string, expected: string): boolean {
  return normalise(predicted) === normalise(expected);
}

/** What kind of answer a question asks for, told by the right one. */
export type AnswerKind = 'yesNo' | 'number' | 'other';

export function answerKind(expected: string): AnswerKind {
  const answer = normalise(expected);
  if (answer === 'yes' || answer === 'no') return 'yesNo';
  return numberOf(answer) === undefined ? 'other' : 'number';
}

/** The number that a text is, digits alone: "3", "-2", "0.50". Nothing for a text that holds more than a number. */
export function numberOf(text: string): number | undefined {
  return /^[+-]?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
}

/** The same number: "3" is "3.0". False where one of them is none. */
export function numberMatch(predicted: string, expected: string): boolean {
  const number = numberOf(expected);
  return number !== undefined && numberOf(predicted) === number;
}
