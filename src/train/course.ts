import { packedTokens, type SharedPrefix } from '../data/pack.ts';
import { microBatches } from './micro-batches.ts';

/** How large a row is once encoded; what packing, look-ahead and time estimates are made of. */
export interface RowSize {
  tokens: number;
  labelTokens: number;
  /** Bytes of its pixel values. */
  pixelBytes: number;
  /** Each of its pictures by content. */
  pictures?: readonly string[];
  /** What it shares with other rows of its file, where rows of a run shall share. */
  prefix?: SharedPrefix;
  /** Rows about the same pictures that begin alike, the same whether they share or not; none without a picture. */
  group?: number;
}

/** One optimizer step as it lies ahead: micro-batches of indices into the rows that are used. */
export interface CourseStep {
  /** From 1. */
  step: number;
  /** From 1. */
  epoch: number;
  batches: number[][];
}

export interface CourseOptions {
  epochs: number;
  /** The run ends here even in the middle of an epoch. */
  maxSteps?: number;
  /** A micro-batch holds as many rows as fit here; a longer row runs alone. */
  maxTokens: number;
  /** The rows of each step of an epoch, epoch from 0. */
  stepsOfEpoch(epoch: number): Iterable<number[]>;
}

/** All steps of a run in order. Walking it again gives the same steps. */
export function* course(sizes: readonly RowSize[], options: CourseOptions): Generator<CourseStep> {
  let step = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (const rows of options.stepsOfEpoch(epoch)) {
      if (step === options.maxSteps) return;
      step++;
      yield { step, epoch: epoch + 1, batches: microBatches(rows, sizes, options.maxTokens) };
    }
  }
}

/** Steps of the whole run: the last step of an epoch is smaller, and none crosses into the next. */
export function countSteps(rows: number, accumulation: number, epochs: number, maxSteps?: number): number {
  return Math.min(Math.ceil(rows / accumulation) * epochs, maxSteps ?? Number.POSITIVE_INFINITY);
}

/** Tokens that go through the model in these micro-batches. */
export function computedTokens(batches: Iterable<readonly number[]>, sizes: readonly RowSize[]): number {
  let sum = 0;
  for (const batch of batches) sum += packedTokens(batch.map((row) => sizes[row]));
  return sum;
}
