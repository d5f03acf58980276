import { statSync } from 'node:fs';
import { type ErrorPlace, LorikeetError } from '../errors.ts';
import { holdsMoreValues, parseJson as parseStrictly, valueLimit } from '../formats/json.ts';
import { indexLines, type LineIndex, readBytes, readLine } from './lines.ts';
import { openParquet } from './parquet/table.ts';

/** A data file as parsed rows, whatever its way of writing them: JSON lines, one JSON array, or parquet. */
export interface Table {
  readonly file: string;
  readonly length: number;
  readonly sha256: string;
  /** Where a row stands, for errors. */
  place(row: number): ErrorPlace;
  /**
   * What JSON gives; in a row of parquet, pictures may stand as bytes.
   *
   * @throws LorikeetError 'data' naming file and row where it cannot be read.
   */
  value(row: number): Promise<unknown>;
}

const maxArrayBytes = 400 * 2 ** 20; // the longest string V8 builds is 512 MiB
const maxArrayValues = 4 * valueLimit; // about a gigabyte, where none of them holds anything

/** Lines are indexed and read one by one when asked for, parquet by row groups; an array is parsed once and kept. */
export async function openTable(file: string): Promise<Table> {
  const extension = /\.(csv|tsv|arrow|feather|xlsx?)$/i.exec(file)?.[0];
  if (extension !== undefined) {
    throw new LorikeetError('data', {
      file,
      what: `.jsonl, .json or .parquet expected, got ${extension}`,
      fix: 'Save it as JSON lines; in pandas: frame.to_json("train.jsonl", orient="records", lines=True).',
    });
  }
  if (/\.parquet$/i.test(file)) return openParquet(file);
  const lines = await indexLines(file);
  return lines.isArray ? arrayTable(lines) : lineTable(lines);
}

function lineTable(lines: LineIndex): Table {
  const { file, sha256 } = lines;
  const place = (row: number) => ({ file, line: lines.numbers[row], row });
  const value = async (row: number) => {
    const bytes = readLine(lines, row);
    if (bytes.length < lines.lengths[row]) throw changed(place(row));
    return parseJson(bytes, place(row), valueLimit, 'Write each row as one JSON object on one line.');
  };
  return { file, sha256, length: lines.starts.length, place, value };
}

function changed(place: ErrorPlace): LorikeetError {
  return new LorikeetError('data', {
    ...place,
    what: 'the line expected where it was at the start, got the end of the file',
    fix: 'Leave the data file alone while it is in use.',
  });
}

function arrayTable({ file, sha256 }: LineIndex): Table {
  const { size } = statSync(file);
  if (size > maxArrayBytes) {
    throw new LorikeetError('data', {
      file,
      what: `a JSON array of at most ${maxArrayBytes} bytes expected, got ${size}`,
      fix: 'Write it as .jsonl, one row a line: those are read row by row.',
    });
  }
  const rows = parseJson(
    readBytes(file, 0, size),
    { file },
    maxArrayValues,
    'Write the rows as one JSON array, or one row a line.',
  );
  if (!Array.isArray(rows)) throw new LorikeetError('data', { file, what: 'a JSON array expected' });
  const value = async (row: number) => rows[row];
  return { file, sha256, length: rows.length, place: (row) => ({ file, row }), value };
}

function parseJson(bytes: Uint8Array, place: ErrorPlace, most: number, fix: string): unknown {
  if (holdsMoreValues(bytes, most)) {
    throw new LorikeetError('data', {
      ...place,
      what: `JSON of at most ${most} values expected, got more`,
      fix: 'Write it as .jsonl, one row a line; a row holds texts and pictures, no tables.',
    });
  }
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes); // drops a byte order mark
    return JSON.parse(text);
  } catch (cause) {
    const line = place.line ?? lineOf(text, cause);
    const what =
      text === '' ? 'UTF-8 expected, got other bytes' : `JSON expected: ${oneLine((cause as Error).message)}`;
    throw new LorikeetError('data', { ...place, ...(line !== undefined && { line }), what, fix, cause });
  }
}

/** V8 quotes the text around a mistake, line breaks and all. */
function oneLine(message: string): string {
  return message.replace(/\s+/g, ' ');
}

/** The line in a JSON text that a SyntaxError is about; V8 often leaves the position out, the strict parser never does. */
function lineOf(text: string, cause: unknown): number | undefined {
  if (!(cause instanceof SyntaxError)) return undefined;
  const position = /position (\d+)/.exec(cause.message)?.[1] ?? strictPosition(text);
  return position === undefined ? undefined : text.slice(0, Number(position)).split('\n').length;
}

function strictPosition(text: string): string | undefined {
  try {
    parseStrictly(text);
  } catch (error) {
    return /at character (\d+)/.exec((error as Error).message)?.[1];
  }
  return undefined;
}
