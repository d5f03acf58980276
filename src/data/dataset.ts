import { dirname } from 'node:path';
import { type ErrorPlace, LorikeetError } from '../errors.ts';
import type { Example } from './example.ts';
import { withPlace } from './place.ts';
import type { ChosenFields, Fields } from './rows/fields.ts';
import { type DetectedForm, detectForm, formNames } from './rows/form.ts';
import { isRecord } from './rows/own.ts';
import { parseRow } from './rows/parse.ts';
import { pictureFolders } from './rows/picture-folders.ts';
import { openTable, type Table } from './table.ts';
import { guardOf, stampOf } from './unchanged.ts';

/** A data file whose rows are read, checked and made examples one at a time. */
export interface Dataset extends ChosenFields {
  readonly name: DatasetName;
  readonly file: string;
  /** What image paths are relative to. */
  readonly images: string;
  /** Rows, good and bad. */
  readonly length: number;
  readonly form: DetectedForm['form'];
  readonly sha256: string;
  /** What was found and guessed, in sentences to print at start. */
  readonly notes: string[];
  /** Where a row stands, for errors. */
  place(row: number): ErrorPlace;
  /** @throws LorikeetError 'data' or 'image' with file, line and row. */
  example(row: number): Promise<Example>;
  /** @throws LorikeetError 'data' where the file is no longer what it was when it was opened. */
  checkUnchanged(): Promise<void>;
}

export type DatasetName = 'train' | 'validation' | 'test';

export interface DatasetOptions {
  /** The folder that image paths are relative to; default: the data file's own. */
  images?: string;
  /** Pictures in neither that folder nor the data file's own; default: refused. */
  outside?: 'refuse' | 'allow';
  /** Columns by their names; what is left out is guessed. */
  fields?: Partial<Fields>;
  /** System text of rows that have none of their own. */
  system?: string;
  name: DatasetName;
}

const sampledRows = 20;

/**
 * Opens `.jsonl` (one JSON object a line), a `.json` array or `.parquet` and names the form of its rows from the first of them.
 *
 * @throws LorikeetError 'data' for a file that cannot be read, has no rows, or whose rows have no known form.
 */
export async function openDataset(file: string, options: DatasetOptions): Promise<Dataset> {
  const stamp = stampOf(file);
  const table = await openTable(file);
  if (table.length === 0) {
    throw new LorikeetError('data', { file, what: 'at least one row expected, got none', fix: 'Add rows.' });
  }
  const detected = await detect(table, options);
  const images = options.images ?? dirname(file);
  const folders = pictureFolders(images, dirname(file), options.outside ?? 'refuse');
  const context = { detected, folders, system: options.system };
  const { file: path, length, sha256, place } = table;
  const example = async (row: number) => {
    checkRow(row, table);
    try {
      return parseRow(await table.value(row), row, context);
    } catch (error) {
      throw withPlace(error, place(row));
    }
  };
  return {
    name: options.name,
    file: path,
    images,
    length,
    sha256,
    ...detected,
    notes: notesOf(table, detected, options),
    place,
    example,
    checkUnchanged: guardOf(path, stamp, sha256),
  };
}

/** Rows that are broken do not vote on the form; each says so itself when it is read. */
async function detect(table: Table, options: DatasetOptions): Promise<DetectedForm> {
  const rows = [];
  let broken: unknown;
  for (let row = 0; row < Math.min(sampledRows, table.length); row++) {
    try {
      const value = await table.value(row);
      if (isRecord(value)) rows.push(value);
    } catch (error) {
      broken ??= error;
    }
  }
  if (rows.length === 0) throw broken ?? noObjects(table);
  try {
    return detectForm(rows, options.fields ?? {});
  } catch (error) {
    throw withPlace(error, { file: table.file });
  }
}

function noObjects(table: Table): LorikeetError {
  return new LorikeetError('data', {
    ...table.place(0),
    what: 'rows expected as objects with named columns, got none among the first',
    fix: 'Write one JSON object for each row.',
  });
}

function checkRow(row: number, table: Table): void {
  if (Number.isInteger(row) && row >= 0 && row < table.length) return;
  throw new LorikeetError('data', {
    file: table.file,
    what: `a row from 0 to ${table.length - 1} expected, got ${row}`,
    fix: 'Rows are numbered from 0.',
  });
}

function notesOf(table: Table, detected: DetectedForm, { name }: DatasetOptions): string[] {
  const notes = [`${name}: ${table.file}, ${table.length} rows of the form ${formNames[detected.form]}`];
  const differing = detected.guessed.filter((key) => detected.fields[key] !== key);
  const guesses = differing.map((key) => `${key}: ${detected.fields[key]}`);
  if (guesses.length > 0)
    notes.push(
      `${name}: columns guessed from their names: { ${guesses.join(', ')} } (data.fields sets them)`,
    );
  return notes;
}
