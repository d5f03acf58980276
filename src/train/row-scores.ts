import type { Split } from './events.ts';

/**
 * What the loss saw of one row at one evaluation: a line of `scores/start.jsonl` (before step 1) or
 * `scores/last.jsonl` (the last evaluation). It holds its own words and a small picture stands beside it, so that a
 * run folder that was copied elsewhere can still be read.
 */
export interface RowScore {
  step: number;
  split: Split;
  row: number;
  /** Question type and group, where the data has them. */
  type?: string;
  group?: string;
  /** The pictures' file names as they stand in the data. */
  images: string[];
  /** What was asked: the text of the turns before the first answer, without the system's. */
  question: string;
  tokens: TokenScore[];
  /** Name of a small JPEG under `scores/pictures/`, for the rows that are shown. */
  picture?: string;
}

/** One label token. */
export interface TokenScore {
  /** Joined, the texts of a turn are its text. */
  text: string;
  /** `end`: `<|im_end|>` and the line break after it. */
  kind: 'answer' | 'end';
  /** Negative log-probability, nats. */
  loss: number;
  /** Whether it was the likeliest token. */
  hit: boolean;
  /** Probability of the likeliest token. */
  top: number;
}
