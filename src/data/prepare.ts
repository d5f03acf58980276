import { LorikeetError } from '../errors.ts';
import type { Dataset } from './dataset.ts';
import { encodeExample } from './encode.ts';
import { type Encoded, type Grid, type ImageReference, isLabel, tokenKinds } from './example.ts';
import { imageSize } from './image/decode.ts';
import { withPlace } from './place.ts';
import type { Processor } from './processor.ts';
import type { ChatTokenizer } from './tokenizer.ts';

/** Rows made ready for a step, and the look at all of them before the first step. Pixels are never decoded here. */

export interface PrepareContext {
  tokenizer: ChatTokenizer;
  imageTokenId: number;
  processor: Pick<Processor, 'gridFor' | 'tokenCount'>;
  maxLength?: number;
}

/**
 * One row as tokens; its pictures are looked at only as far as their headers.
 *
 * @throws LorikeetError naming the row: 'data' or 'image' where the row is bad (`isBadRow`), 'tokenizer' where no
 *   row can be encoded.
 */
export function encodeRow(dataset: Dataset, row: number, context: PrepareContext): Promise<Encoded> {
  return encodeWith(dataset, row, context, (image) => gridOf(image, context));
}

async function gridOf(image: ImageReference, { processor }: PrepareContext): Promise<Grid> {
  const { width, height } = await imageSize(image);
  try {
    return processor.gridFor(width, height);
  } catch (error) {
    throw withPlace(error, 'path' in image ? { file: image.path } : {});
  }
}

async function encodeWith(
  dataset: Dataset,
  row: number,
  context: PrepareContext,
  grid: (image: ImageReference) => Promise<Grid>,
): Promise<Encoded> {
  const example = await dataset.example(row);
  try {
    const grids: Grid[] = [];
    for (const { content } of example.turns) {
      for (const part of content) if (part.type === 'image') grids.push(await grid(part.image));
    }
    const tokenCount = (of: Grid) => context.processor.tokenCount(of);
    return encodeExample(example, { ...context, grids, tokenCount });
  } catch (error) {
    throw withPlace(error, dataset.place(row));
  }
}

/** Whether an error is about one row, so that `onBadRow: skip` may pass over it. */
export function isBadRow(error: unknown): error is LorikeetError {
  return error instanceof LorikeetError && (error.code === 'data' || error.code === 'image');
}

export interface CheckOptions {
  onBadRow: 'stop' | 'skip';
  /** Rows to look at; default all. */
  rows?: Iterable<number>;
  signal?: AbortSignal;
  /** Called now and then with the number of rows seen, and once at the end. */
  onProgress?: (seen: number, total: number) => void;
}

export interface BadRow {
  row: number;
  line?: number;
  /** The error's message. */
  reason: string;
}

/** What a look at every row found. Arrays have one entry for each row of the file; 0 where a row is bad or was not looked at. */
export interface RowCheck {
  /** Rows that can be trained on, in the file's order. */
  rows: number[];
  bad: BadRow[];
  /** T of each row, after cutting to `maxLength`. */
  tokens: Int32Array;
  imageTokens: Int32Array;
  labelTokens: Int32Array;
  /** Tokens that `maxLength` cut off. */
  cutTokens: Int32Array;
}

const rowsBetweenPauses = 64;

/**
 * Reads, checks and encodes every row once, and keeps only counts.
 *
 * @throws LorikeetError the first bad row's error with `stop`; 'data' with `skip` where no row is left.
 */
export async function checkRows(
  dataset: Dataset,
  context: PrepareContext,
  options: CheckOptions,
): Promise<RowCheck> {
  const rows = [...(options.rows ?? Array.from({ length: dataset.length }, (_, row) => row))];
  const check = emptyCheck(dataset.length);
  const grid = rememberedGrids(context);
  for (const [seen, row] of rows.entries()) {
    if (seen % rowsBetweenPauses === 0) {
      options.signal?.throwIfAborted();
      options.onProgress?.(seen, rows.length);
      await new Promise(setImmediate); // lets a signal or a screen have its turn
    }
    await checkRow(check, dataset, row, options.onBadRow, () => encodeWith(dataset, row, context, grid));
  }
  options.onProgress?.(rows.length, rows.length);
  if (check.rows.length === 0) throw noneLeft(dataset, check.bad);
  return check;
}

function emptyCheck(length: number): RowCheck {
  return {
    rows: [],
    bad: [],
    tokens: new Int32Array(length),
    imageTokens: new Int32Array(length),
    labelTokens: new Int32Array(length),
    cutTokens: new Int32Array(length),
  };
}

/** Many rows ask about one picture: its header is read once. */
function rememberedGrids(context: PrepareContext): (image: ImageReference) => Promise<Grid> {
  const grids = new Map<string, Grid>();
  return async (image) => {
    if (!('path' in image)) return gridOf(image, context);
    const known = grids.get(image.path);
    if (known) return known;
    const grid = await gridOf(image, context);
    grids.set(image.path, grid);
    return grid;
  };
}

async function checkRow(
  check: RowCheck,
  dataset: Dataset,
  row: number,
  onBadRow: 'stop' | 'skip',
  encode: () => Promise<Encoded>,
): Promise<void> {
  try {
    const { ids, kinds, cut = 0 } = await encode();
    check.rows.push(row);
    check.tokens[row] = ids.length;
    check.cutTokens[row] = cut;
    for (const kind of kinds) {
      if (isLabel(kind)) check.labelTokens[row]++;
      else if (tokenKinds[kind] === 'image') check.imageTokens[row]++;
    }
  } catch (error) {
    if (onBadRow === 'stop' || !isBadRow(error)) throw error;
    const { line } = dataset.place(row);
    check.bad.push({ row, ...(line !== undefined && { line }), reason: error.message });
  }
}

function noneLeft(dataset: Dataset, bad: BadRow[]): LorikeetError {
  return new LorikeetError('data', {
    file: dataset.file,
    what: `at least one good row expected, got none: ${bad.length} rows were skipped${bad.length > 0 ? `, the first because ${bad[0].reason}` : ''}`,
    fix: 'Correct the rows; data.onBadRow: stop names them one by one.',
  });
}
