import type { Dataset } from '../data/dataset.ts';
import { LorikeetError } from '../errors.ts';

/** Rows that are shown where nobody chose. */
const shownRows = 20;

/** The rows to inspect, in the order they were asked for, each once. Throws one `config` error for all that are not there. */
export function chooseRows(
  { length, file }: Pick<Dataset, 'length' | 'file'>,
  asked: readonly number[] | 'all' | undefined,
): number[] {
  if (asked === 'all') return countTo(length);
  if (asked === undefined || asked.length === 0) return countTo(Math.min(length, shownRows));
  const outside = [...new Set(asked)].filter((row) => !(Number.isInteger(row) && row >= 0 && row < length));
  if (outside.length === 0) return [...new Set(asked)];
  throw new LorikeetError('config', {
    file,
    what: `rows from 0 to ${length - 1} expected, got ${outside.slice(0, 10).join(', ')}`,
    fix: `The file has ${length} rows, numbered from 0.`,
  });
}

const countTo = (length: number) => Array.from({ length }, (_, row) => row);
