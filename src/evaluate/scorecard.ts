/** What is told of an evaluation: one JSON document, and what the terminal shows. Data only. */
import type { Estimate } from '../metrics/bootstrap.ts';
import type { CalibrationBin } from '../train/calibration.ts';
import type { LostRow } from './questions.ts';

export interface Scorecard {
  split: 'train' | 'validation' | 'test';
  file: string;
  sha256: string;
  trainFile: string;
  /** Rows that were scored, their answers and their different pictures. */
  rows: number;
  answers: number;
  pictures: number;
  /** What the bootstrap and the paired tests draw, and how many there are. */
  clusteredBy: 'group' | 'picture';
  clusters: number;
  /** What an exact match forgives. */
  normalisation: string;
  model: ScoredModel;
  /** Of all answers, and of each question type and answer type that the data names. */
  overall: Scores;
  types: TypeScores[];
  answerTypes: TypeScores[];
  /** The probability of a given answer against its being right. */
  calibration: AnswerCalibration;
  floor: FloorTest;
  /** Nothing where no row has a picture that could be exchanged. */
  imageTest?: ImageTest;
  against?: Comparison;
  /** Answers that had not ended by themselves at `maxNewTokens`. */
  cut: number;
  maxNewTokens: number;
  lost: LostRow[];
  seed: number;
  /** Answers to shuffled pictures and of the other model among them. */
  answersComputed: number;
  seconds: number;
  versions: { lorikeet: string; node?: string; onnxruntime?: string };
}

export interface ScoredModel {
  model: string;
  adapter: string | null;
  reason: string;
}

/** Shares from 0 to 1, losses in nats. What there is no row for is absent. */
export interface Scores {
  answers: number;
  exactMatch: Estimate;
  tokenF1: Estimate;
  /** Exact match where the right answer is yes or no. */
  yesNo?: Estimate;
  /** Same number where the right answer is one. */
  number?: Estimate;
  /** Of answers of 5 words or more. */
  bleu1?: Estimate;
  rougeL?: Estimate;
  loss?: Losses;
  /** Exact match of the blind guess. */
  floor: Estimate;
  /** Exact match with the pictures shuffled. */
  shuffled?: Estimate;
}

/** What right answers and their ends cost. */
export interface Losses {
  perToken: Estimate;
  perAnswer: Estimate;
  /** Of the right answer's text: comparable between models with different tokenizers. */
  perCharacter: Estimate;
  /** exp of the loss per token. */
  perplexity: Estimate;
}

export interface TypeScores extends Scores {
  type: string;
}

export interface AnswerCalibration {
  /** The ten bins in their order, empty ones too. */
  bins: (Omit<CalibrationBin, 'tokens'> & { answers: number })[];
  /** Expected calibration error, bins weighed by their answers. */
  error: number;
  answers: number;
}

/** A difference of two scores on the same rows. */
export interface Difference extends Estimate {
  /** Two-sided, of the sign-flip test over the same clusters. */
  p: number;
}

export interface FloorTest {
  exactMatch: Estimate;
  /** Of the model's exact match from the floor. */
  gain: Difference;
  /** Answers guessed from the question itself, from its answer type, from all. */
  from: { question: number; answerType: number; all: number };
  verdict: string;
}

export interface ImageTest {
  answers: number;
  /** On the rows that got other pictures, with their own and with the others. */
  own: Estimate;
  shuffled: Estimate;
  drop: Difference;
  /** The same of token F1, which moves where no answer is right to the letter. */
  dropF1: Difference;
  /** What right answers for the wrong pictures score, over the rows whose question is asked of other pictures too. */
  rightElsewhere?: Estimate;
  /** One of the two drops, its whole interval above 0. */
  usesImage: boolean;
  verdict: string;
}

export interface Comparison {
  model: ScoredModel;
  exactMatch: Estimate;
  tokenF1: Estimate;
  loss?: Losses;
  /** The model's less the other's. */
  difference: { exactMatch: Difference; tokenF1: Difference; perToken?: Difference };
  /** Answers that one of the two has right and the other wrong. */
  changed: ChangedRow[];
  verdict: string;
}

export interface ChangedRow {
  row: number;
  turn: number;
  question: string;
  expected: string;
  predicted: string;
  against: string;
  /** Whether this model has it right; the other then has not. */
  exact: boolean;
}
