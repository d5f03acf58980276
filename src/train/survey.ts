import type { Dataset } from '../data/dataset.ts';
import { type Encoded, isLabel } from '../data/example.ts';
import { isBadRow, withPlace } from '../data/place.ts';
import { LorikeetError } from '../errors.ts';
import type { RowSize } from './course.ts';
import type { Encoder } from './encoder.ts';
import type { CheckEvent, DataSummary, NoticeEvent, Split } from './events.ts';

export interface SurveyOptions {
  split: Split;
  onBadRow: 'stop' | 'skip';
  stopped: () => boolean;
}

/** What the pass over a data file before step 1 found. */
export interface Survey {
  split: Split;
  /** Rows of the file that are used. */
  rows: number[];
  /** In the order of `rows`. */
  sizes: RowSize[];
  skipped: { row: number; reason: string }[];
  summary: DataSummary;
}

/** Milliseconds: a pass shorter than the first is silent, a longer one speaks every second of the other. */
const silent = 2000;
const interval = 500;

/**
 * Reads, checks and encodes every row, pictures by their headers alone, so that a bad row stops a run before its
 * first step and not in its third hour. Ends early, with what it has, where it is stopped.
 */
export async function* survey(
  dataset: Dataset,
  encoder: Pick<Encoder, 'encode' | 'patchLength'>,
  options: SurveyOptions,
): AsyncGenerator<CheckEvent | NoticeEvent, Survey> {
  const found = emptySurvey(dataset, options.split);
  let speakAt = performance.now() + silent;
  for (let row = 0; row < dataset.length && !options.stopped(); row++) {
    try {
      const encoded = await encoder.encode(await dataset.example(row));
      addRow(found, encoded, encoder.patchLength);
    } catch (error) {
      skipOrStop(found, withPlace(error, dataset.place(row)), row, options);
    }
    if (performance.now() < speakAt) continue;
    speakAt = performance.now() + interval;
    yield { type: 'check', split: options.split, rows: row + 1, totalRows: dataset.length };
  }
  if (found.summary.cutRows > 0) yield cutNotice(found, options.split);
  if (found.skipped.length > 0) yield skippedNotice(found, dataset, options.split);
  if (found.rows.length === 0 && !options.stopped()) throw noRows(found, dataset);
  return found;
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
  return { split, rows: [], sizes: [], skipped: [], summary };
}

function addRow({ rows, sizes, summary }: Survey, encoded: Encoded, patchLength: number): void {
  const tokens = encoded.ids.length;
  const patches = encoded.grids.reduce((sum, [frames, height, width]) => sum + frames * height * width, 0);
  let labelTokens = 0;
  for (let t = 1; t < tokens; t++) if (isLabel(encoded.kinds[t])) labelTokens++;
  rows.push(encoded.row);
  sizes.push({ tokens, labelTokens, pixelBytes: patches * patchLength * 4 });
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
): void {
  if (onBadRow === 'stop' || !isBadRow(error)) throw error;
  skipped.push({ row, reason: error.message });
  summary.skipped++;
}

function cutNotice({ summary }: Survey, split: Split): NoticeEvent {
  const text =
    `${summary.cutRows} of ${summary.rows} ${split} rows are longer than data.maxLength and lose their end; ` +
    'an answer that is cut does not teach where to stop.';
  return { type: 'notice', text };
}

function skippedNotice({ skipped }: Survey, { length }: Dataset, split: Split): NoticeEvent {
  const shown = skipped.slice(0, 3).map(({ reason }) => `\n  ${reason}`);
  const more =
    skipped.length > shown.length ? `\n  and ${skipped.length - shown.length} more, all in run.json` : '';
  const text = `${skipped.length} of ${length} ${split} rows are skipped (data.onBadRow: skip):${shown.join('')}${more}`;
  return { type: 'notice', text };
}

function noRows({ skipped }: Survey, { file, length }: Dataset): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: `at least one row that can be used expected, got none of ${length}; the first: ${skipped[0]?.reason}`,
    fix: 'Mend the rows, or name another file.',
  });
}
