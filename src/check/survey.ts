import { setImmediate } from 'node:timers/promises';
import type { Dataset } from '../data/dataset.ts';
import { type Grid, isLabel } from '../data/example.ts';
import type { SharedPrefix } from '../data/pack.ts';
import { isBadRow } from '../data/place.ts';
import { PrefixFinder } from '../data/shared-prefix.ts';
import { LorikeetError } from '../errors.ts';
import type { RowSize } from '../train/course.ts';
import type { CheckEvent, DataSummary, Split } from '../train/events.ts';
import type { CheckClock } from './clock.ts';
import { groupRefused, type RefusedRow } from './refused.ts';
import { type GoodRow, type RowReading, readRows } from './rows.ts';

/** Counts something over the rows that are used. */
export interface Tally {
  add(row: GoodRow): void;
}

export interface SurveyOptions {
  split: Split;
  onBadRow: 'stop' | 'skip';
  stopped: () => boolean;
  clock: CheckClock;
  tallies: readonly Tally[];
  /** Values of one patch. */
  patchLength: number;
}

export interface PictureSize {
  width: number;
  height: number;
  tokens: number;
}

/** What the pass over a data file before step 1 found. */
export interface Survey {
  split: Split;
  /** Rows of the file that are used. */
  rows: number[];
  /** In the order of `rows`. */
  sizes: RowSize[];
  /** In the order of `rows`: what each row's pictures hold, as `Picture.content` tells them apart. */
  contents: string[][];
  /** By that content: pixels as they were decoded, and the tokens that they become. */
  pictures: Map<string, PictureSize>;
  /** In the order of `rows`: the beginning that a row has in common with others. */
  prefixes: (SharedPrefix | undefined)[];
  /** By content. */
  grids: Map<string, Grid>;
  skipped: { row: number; reason: string }[];
  summary: DataSummary;
}

/**
 * Reads, checks and encodes every row and decodes every picture, so that a bad row stops a run before its first step
 * and not in its third hour. Ends early, with what it has, where it is stopped.
 */
export async function* survey(
  dataset: Dataset,
  reading: RowReading,
  options: SurveyOptions,
): AsyncGenerator<CheckEvent, Survey & { refused: ReturnType<typeof groupRefused> }> {
  const { split, clock, tallies, stopped } = options;
  const found = emptySurvey(dataset, split);
  const refused: RefusedRow[] = [];
  const finder = new PrefixFinder();
  for await (const row of readRows(dataset, reading)) {
    if ('error' in row) refused.push(skipOrStop(found, row.error, row.row, options));
    else {
      addRow(found, row, options.patchLength);
      finder.add(row.encoded, found.contents[found.contents.length - 1]);
      for (const tally of tallies) tally.add(row);
    }
    const event = clock.tick(split, row.row + 1, dataset.length);
    if (event === 'pause')
      await setImmediate(); // pictures that are known need no wait, and signals would never be heard
    else if (event) yield event;
    if (stopped()) return { ...found, refused: groupRefused(refused) };
  }
  if (found.rows.length === 0) throw noRows(found, dataset);
  return { ...found, prefixes: finder.prefixes(), refused: groupRefused(refused) };
}

function emptySurvey({ file, sha256, form, fields, guessed }: Dataset, split: Split): Survey {
  const summary: DataSummary = {
    file,
    sha256,
    form,
    fields: { ...fields },
    guessed: [...guessed],
    rows: 0,
    skipped: 0,
    images: 0,
    tokens: 0,
    labelTokens: 0,
    longestRow: 0,
    cutRows: 0,
  };
  return {
    split,
    rows: [],
    sizes: [],
    contents: [],
    pictures: new Map(),
    prefixes: [],
    grids: new Map(),
    skipped: [],
    summary,
  };
}

function addRow(
  { rows, sizes, contents, pictures: known, grids, summary }: Survey,
  { encoded, pictures }: GoodRow,
  patchLength: number,
): void {
  const tokens = encoded.ids.length;
  const patches = encoded.grids.reduce((sum, [frames, height, width]) => sum + frames * height * width, 0);
  let labelTokens = 0;
  for (let t = 1; t < tokens; t++) if (isLabel(encoded.kinds[t])) labelTokens++;
  rows.push(encoded.row);
  sizes.push({ tokens, labelTokens, pixelBytes: patches * patchLength * 4 });
  contents.push(pictures.map(({ content }) => content));
  for (const { content, grid, width, height, tokens: own } of pictures) {
    grids.set(content, grid);
    known.set(content, { width, height, tokens: own });
  }
  summary.rows++;
  summary.images += encoded.images.length;
  summary.tokens += tokens;
  summary.labelTokens += labelTokens;
  if (encoded.cut) summary.cutRows++;
  summary.longestRow = Math.max(summary.longestRow, tokens);
}

function skipOrStop(
  { skipped, summary }: Survey,
  error: unknown,
  row: number,
  { onBadRow }: SurveyOptions,
): RefusedRow {
  if (onBadRow === 'stop' || !isBadRow(error)) throw error;
  skipped.push({ row, reason: error.message });
  summary.skipped++;
  return { row, what: error.what };
}

function noRows({ skipped }: Survey, { file, length }: Dataset): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: `at least one row that can be used expected, got none of ${length}; the first: ${skipped[0]?.reason}`,
    fix: 'Mend the rows, or name another file.',
  });
}
