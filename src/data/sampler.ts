import { shuffle, stream } from '../random.ts';

export interface StepOptions {
  /** From 0. */
  epoch: number;
  seed: number;
  /** False keeps the order of `rows` in every epoch. */
  shuffle: boolean;
  /** Rows of one optimizer step. */
  accumulation: number;
}

/**
 * The rows of each optimizer step of an epoch: ceil(rows / accumulation) steps, the last one smaller where they do not
 * divide; no step crosses an epoch. The order is a pure function of seed and epoch.
 */
export function stepsOfEpoch(rows: readonly number[], options: StepOptions): number[][] {
  const { epoch, seed, accumulation } = options;
  const order = [...rows];
  if (options.shuffle) shuffle(order, stream(seed, 'shuffle', epoch));
  const steps: number[][] = [];
  for (let from = 0; from < order.length; from += accumulation)
    steps.push(order.slice(from, from + accumulation));
  return steps;
}
