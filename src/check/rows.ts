import type { Dataset } from '../data/dataset.ts';
import type { Encoded, Example } from '../data/example.ts';
import { eachImage } from '../data/example-images.ts';
import { withPlace } from '../data/place.ts';
import type { Encoder } from '../train/encoder.ts';
import type { GuardLabels } from './label-guard.ts';
import type { LookAt, Picture } from './pictures.ts';

/** A row that can be trained on. */
export interface GoodRow {
  row: number;
  example: Example;
  encoded: Encoded;
  /** In the conversation's order. */
  pictures: Picture[];
}

export interface BadRow {
  row: number;
  /** With its place. */
  error: unknown;
}

export interface RowReading {
  encodeWith: Encoder['encodeWith'];
  lookAt: LookAt;
  guard: GuardLabels;
}

/** Rows that are read ahead, so that their pictures are decoded while earlier rows are encoded. */
const ahead = 16;

/** Every row of a file in order, good or bad. */
export async function* readRows(dataset: Dataset, reading: RowReading): AsyncGenerator<GoodRow | BadRow> {
  const waiting: ReturnType<typeof seen>[] = [];
  for (let row = 0; row < dataset.length; row++) {
    for (let next = row + waiting.length; next < Math.min(row + ahead, dataset.length); next++) {
      waiting.push(seen(dataset, next, reading.lookAt));
    }
    yield encoded(dataset, await waiting.shift()!, reading);
  }
}

async function seen(
  dataset: Dataset,
  row: number,
  lookAt: LookAt,
): Promise<Omit<GoodRow, 'encoded'> | BadRow> {
  try {
    const example = await dataset.example(row);
    return { row, example, pictures: await eachImage(example, lookAt) };
  } catch (error) {
    return { row, error: withPlace(error, dataset.place(row)) };
  }
}

function encoded(
  dataset: Dataset,
  read: Omit<GoodRow, 'encoded'> | BadRow,
  { encodeWith, guard }: RowReading,
): GoodRow | BadRow {
  if ('error' in read) return read;
  try {
    const encoded = encodeWith(
      read.example,
      read.pictures.map(({ grid }) => grid),
    );
    guard(read.example, encoded);
    return { ...read, encoded };
  } catch (error) {
    return { row: read.row, error: withPlace(error, dataset.place(read.row)) };
  }
}
