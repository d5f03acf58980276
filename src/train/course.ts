/** How large a row is once encoded; what packing, look-ahead and time estimates are made of. */
export interface RowSize {
  tokens: number;
  labelTokens: number;
  /** Bytes of its pixel values. */
  pixelBytes: number;
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
  packTokens: number;
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
      yield { step, epoch: epoch + 1, batches: packRows(rows, sizes, options.packTokens) };
    }
  }
}

/** Steps of the whole run: the last step of an epoch is smaller, and none crosses into the next. */
export function countSteps(rows: number, accumulation: number, epochs: number, maxSteps?: number): number {
  return Math.min(Math.ceil(rows / accumulation) * epochs, maxSteps ?? Number.POSITIVE_INFINITY);
}

/** Packs neighbouring rows together, in order, up to `packTokens`. */
export function packRows(rows: readonly number[], sizes: readonly RowSize[], packTokens: number): number[][] {
  const batches: number[][] = [];
  let room = 0;
  for (const row of rows) {
    const { tokens } = sizes[row];
    if (batches.length === 0 || tokens > room) {
      batches.push([]);
      room = packTokens;
    }
    batches[batches.length - 1].push(row);
    room -= tokens;
  }
  return batches;
}

export function tokensOf(rows: readonly number[], sizes: readonly RowSize[]): number {
  return rows.reduce((sum, row) => sum + sizes[row].tokens, 0);
}
