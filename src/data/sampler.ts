import { shuffle, stream } from '../random.ts';

export interface StepOptions {
  /** From 0. */
  epoch: number;
  seed: number;
  /** False keeps the order of `rows` in every epoch. */
  shuffle: boolean;
  /** Rows of one optimizer step. */
  accumulation: number;
  /** Rows that a shuffle leaves beside each other. */
  groups?: { of: (row: number) => number | undefined; mostRows: number };
}

/**
 * The rows of each optimizer step of an epoch: ceil(rows / accumulation) steps, the last one smaller where they do not
 * divide; no step crosses an epoch. The order is a pure function of seed and epoch. A shuffle of groups cuts them first to
 * `mostRows` rows, other ones in each epoch.
 */
export function stepsOfEpoch(rows: readonly number[], options: StepOptions): number[][] {
  const { epoch, seed, accumulation } = options;
  const shuffled = options.shuffle ? shuffle([...rows], stream(seed, 'shuffle', epoch)) : [...rows];
  const order =
    options.shuffle && options.groups
      ? shuffle(cutGroups(shuffled, options.groups), stream(seed, 'shuffle groups', epoch)).flat()
      : shuffled;
  const steps: number[][] = [];
  for (let from = 0; from < order.length; from += accumulation)
    steps.push(order.slice(from, from + accumulation));
  return steps;
}

/** Parts of equal size, so that none is left with a single row. */
function cutGroups(
  rows: readonly number[],
  { of, mostRows }: NonNullable<StepOptions['groups']>,
): number[][] {
  const groups = new Map<unknown, number[]>();
  rows.forEach((row, i) => {
    const key = of(row) ?? `alone ${i}`;
    const members = groups.get(key);
    if (members) members.push(row);
    else groups.set(key, [row]);
  });
  return [...groups.values()].flatMap((members) => {
    const parts = Math.ceil(members.length / mostRows);
    const start = (part: number) => Math.round((part * members.length) / parts);
    return Array.from({ length: parts }, (_, part) => members.slice(start(part), start(part + 1)));
  });
}
