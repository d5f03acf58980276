import type { TokenKind } from '../data/example.ts';

/**
 * What the pass over all data before step 1 found: plain JSON, shown in a dozen lines, kept in `run.json`.
 * Rows are numbered from 0; pictures are told apart by their content, not by their names.
 */
export interface DataCheck {
  /** Training first. */
  splits: SplitCheck[];
  /** What stands in training and validation alike; absent without validation data. */
  shared?: SharedData;
  /** What guessing without picture or question would cost; absent without validation data. */
  chance?: Chance;
  /** What a person should act on, each with its remedy, in the order of their weight. */
  warnings: string[];
}

export interface SplitCheck {
  split: 'train' | 'validation';
  /** Rows that are used. */
  rows: number;
  /** Rows that are not used, by what is wrong with them, the commonest first. */
  refused: { count: number; reasons: { reason: string; count: number; rows: number[] }[] };
  /** Tokens of the rows that are used, by why they are or are not trained on. */
  tokens: Record<TokenKind, number>;
  /** Of all tokens, those that are labels. */
  labelShare: number;
  /** The five rows with the most tokens. */
  longest: { row: number; tokens: number }[];
  images: {
    /** By content. */
    distinct: number;
    /** Places in rows. */
    uses: number;
    /** Distinct pictures by their size in pixels and the tokens they become: the hundred commonest, first. */
    sizes: { width: number; height: number; tokens: number; images: number }[];
    /** Pictures of which more than 90 % of the pixels are at the top of the range; names of a few, 16-bit grey first. */
    saturated: { count: number; sixteenBit: number; files: string[] };
  };
  /** Answers in the rows that show a picture. */
  questionsPerImage: { least: number; median: number; most: number; mean: number };
  answers: {
    distinct: number;
    /** Trimmed and lower-cased, the five commonest. */
    commonest: { text: string; count: number }[];
  };
  /** Distinct groups (patient, video), where the data has them. */
  groups?: number;
}

/** Counts are of validation: pictures, and the rows that ask about them. */
export interface SharedData {
  /** The same pixels. */
  same: Overlap;
  /** Other pixels that look the same: saved anew, resized, a little brighter. Those of `same` are not counted again. */
  near: Overlap;
  /** Groups on both sides, where the data has them. */
  groups?: { count: number; rows: number; names: string[] };
}

export interface Overlap {
  pictures: number;
  rows: number;
  /** A few to look at: file names as they stand in the data. */
  pairs: { validation: string; train: string }[];
}

/** Mean negative log-probability over the content tokens of the validation answers, nats. */
export interface Chance {
  /** ln V: every word of the vocabulary alike. */
  uniform: number;
  /** From the training answers and how often each is given, without picture or question. */
  answers: number;
  /** Share of the validation answers that no training row gives. */
  unseen: number;
}
