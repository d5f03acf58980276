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
  /** All that were lost, those of the run before its interruption too. */
  lost(): LostRow[];
}

/** A row that the check found good and whose picture could not be decoded later. */
export interface LostRow {
  row: number;
  reason: string;
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
  before: readonly LostRow[] = [],
): RowLoader {
  const lost = new Map(before.map(({ row, reason }) => [row, reason]));
  let untold: SkipEvent[] = [];
  const lose = (row: number, { message: reason }: Error) => {
    if (lost.has(row)) return;
    lost.set(row, reason);
    untold.push({ type: 'skip', split: survey.split, row, reason, lost: lost.size });
    if (lost.size === survey.rows.length) throw noneLeft(dataset.file, lost.size, reason);
  };
  return {
    async load(index) {
      const row = survey.rows[index];
      if (lost.has(row)) return undefined;
      await dataset.checkUnchanged(); // no row of another file may be taken for one of this, nor for a bad one
      try {
        const sample = await images.load(survey.contents[index], survey.grids, async (known) =>
          loader.load(await dataset.example(row), known),
        );
        checkSize(sample, survey.sizes[index].tokens);
        checkPictures(sample, survey.contents[index]);
        return sample;
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
    lost: () => [...lost].map(([row, reason]) => ({ row, reason })),
  };
}

/** Packs, order and rates rest on what the check counted. */
function checkSize({ encoded }: Sample, tokens: number): void {
  if (encoded.ids.length === tokens) return;
  throw new LorikeetError('data', {
    what: `a row of ${tokens} tokens expected, as the check before step 1 found it, got ${encoded.ids.length}`,
    fix: 'A picture of it was replaced by one of another size; put the former one back.',
  });
}

/** What rows share rests on what their pictures hold; one replaced in the run would be learned by some and not by others. */
function checkPictures({ images }: Sample, contents: readonly string[]): void {
  const place = images.findIndex(({ content }, i) => content !== contents[i]);
  if (place < 0) return;
  throw new LorikeetError('data', {
    what: `picture ${place + 1} of ${images.length} expected to hold what it held in the check before step 1, got other pixels`,
    fix: 'It was replaced during the run; put the former one back.',
  });
}

function noneLeft(file: string, rows: number, reason: string): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: `at least one row whose pictures can be decoded expected, got none of ${rows}; the last: ${reason}`,
    fix: 'Mend the pictures, or name another file.',
  });
}
