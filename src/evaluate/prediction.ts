/** What is kept of every answer: a line of `predictions.jsonl`. */
import type { Answer } from '../generate/engine.ts';
import { bleu1, isLong, rougeL } from '../metrics/long-answers.ts';
import { exactMatch, numberMatch, numberOf } from '../metrics/match.ts';
import { tokenF1 } from '../metrics/token-f1.ts';

/** What a model answered, held against what is right. */
export interface ScoredAnswer {
  predicted: string;
  /** Equal after trimming and lower-casing. */
  exact: boolean;
  /** Token F1 of SQuAD. */
  f1: number;
  /** Where the right answer is a number: whether the same number was answered. */
  number?: boolean;
  /** Where the right answer is long. */
  bleu1?: number;
  rougeL?: number;
  /** That the model gives to its own answer and its end. */
  probability: number;
  /** `length`: it had not ended by itself and was cut. */
  finish: Answer['finish'];
}

/** What the right answer and its end cost a model, in nats; nothing for an answer that `data.maxLength` cut. */
export interface AnswerLoss {
  loss: number;
  tokens: number;
}

export interface Prediction extends ScoredAnswer {
  row: number;
  /** Which answer of the row, from 0. */
  turn: number;
  question: string;
  type?: string;
  answerType?: string;
  group?: string;
  /** File names as they stand in the data. */
  images: string[];
  expected: string;
  loss: number | null;
  tokens: number;
  /** Characters of the right answer. */
  characters: number;
  /** The blind guess, and what it is the commonest training answer of. */
  floor: { predicted: string; exact: boolean; from: 'question' | 'answerType' | 'all' };
  /** The same question about other pictures. */
  shuffled?: ScoredAnswer & {
    images: string[];
    /** Share of other pictures whose right answer to this question is this row's; null where none is asked it. */
    rightElsewhere: number | null;
  };
  /** The answer of the other model. */
  against?: ScoredAnswer & { loss: number | null };
}

export function scoreAnswer({ text, logProbabilities, finish }: Answer, expected: string): ScoredAnswer {
  return {
    predicted: text,
    exact: exactMatch(text, expected),
    f1: tokenF1(text, expected),
    ...(numberOf(expected) !== undefined && { number: numberMatch(text, expected) }),
    ...(isLong(expected) && { bleu1: bleu1(text, expected), rougeL: rougeL(text, expected) }),
    probability: Math.exp(logProbabilities.reduce((sum, value) => sum + value, 0)),
    finish,
  };
}
