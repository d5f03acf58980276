import { isBadRow, withPlace } from '../data/place.ts';
import { LorikeetError } from '../errors.ts';
import type { SkipEvent } from './events.ts';
import type { ImagesAtHand } from './images-at-hand.ts';
import type { Loader } from './loader.ts';
import type { SplitPlan } from './plan.ts';
import type { Sample } from './step.ts';

/** Loads the rows of a split that the survey found good; only now are their pixels decoded. */
export interface RowLoader {
  /** By index into the survey's rows. Nothing where the row is bad after all and may be skipped. */
  load(index: number): Promise<Sample | undefined>;
  /** The rows that were lost since the last call. */
  takeLost(): SkipEvent[];
}

/**
 * A row that is lost stays lost, so that every epoch and evaluation leaves out the same ones. Throws the row's error
 * with its place where rows may not be skipped, and `data` where none is left.
 */
export function createRowLoader(
  { dataset, survey }: SplitPlan,
  loader: Pick<Loader, 'load'>,
  images: ImagesAtHand,
  onBadRow: 'stop' | 'skip',
): RowLoader {
  const lost = new Set<number>();
  let untold: SkipEvent[] = [];
  const lose = (row: number, { message: reason }: Error) => {
    if (lost.has(row)) return;
    lost.add(row);
    untold.push({ type: 'skip', split: survey.split, row, reason, lost: lost.size });
    if (lost.size === survey.rows.length) throw noneLeft(dataset.file, lost.size, reason);
  };
  return {
    async load(index) {
      const row = survey.rows[index];
      if (lost.has(row)) return undefined;
      try {
        return await images.load(survey.contents[index], survey.grids, async (known) =>
          loader.load(await dataset.example(row), known),
        );
      } catch (cause) {
        const error = withPlace(cause, dataset.place(row));
        if (onBadRow === 'stop' || !isBadRow(error)) throw error;
        lose(row, error);
        return undefined;
      }
    },
    takeLost() {
      const taken = untold;
      untold = [];
      return taken;
    },
  };
}

function noneLeft(file: string, rows: number, reason: string): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: `at least one row whose pictures can be decoded expected, got none of ${rows}; the last: ${reason}`,
    fix: 'Mend the pictures, or name another file.',
  });
}
