/** From the rows of a file to what is asked, and what would be right. */
import { setImmediate } from 'node:timers/promises';
import type { Dataset } from '../data/dataset.ts';
import type { Example, ImageReference, Turn } from '../data/example.ts';
import { imagesOf } from '../data/example-images.ts';
import { keyOf } from '../data/image/source.ts';
import { isBadRow, withPlace } from '../data/place.ts';

/** One answer of a row, asked for after all that stands before it in the row. */
export interface Question {
  /** From 0, the answers of its row. */
  turn: number;
  /** The conversation up to the answer. */
  prompt: Turn[];
  /** Text of the user's last turn. */
  text: string;
  expected: string;
}

export interface AskedRow {
  example: Example;
  questions: Question[];
}

/** A row that cannot be scored, and why. */
export interface LostRow {
  row: number;
  reason: string;
}

export interface Rows<T> {
  rows: T[];
  lost: LostRow[];
}

/** Rows between two turns of the event loop. */
const breath = 256;

/**
 * What is to be kept of every row of a file. One that cannot be read is counted among the lost, or thrown where that is
 * asked for.
 */
export async function readRows<T>(
  dataset: Dataset,
  isStrict: boolean,
  kept: (row: AskedRow) => T,
): Promise<Rows<T>> {
  const read: Rows<T> = { rows: [], lost: [] };
  for (let row = 0; row < dataset.length; row++) {
    if (row % breath === breath - 1) await setImmediate();
    try {
      const example = await dataset.example(row);
      read.rows.push(kept(askedRow(example)));
    } catch (cause) {
      const error = withPlace(cause, dataset.place(row));
      if (isStrict || !isBadRow(error)) throw error;
      read.lost.push({ row, reason: error.message });
    }
  }
  return read;
}

export function askedRow(example: Example): AskedRow {
  return { example, questions: questionsOf(example) };
}

function questionsOf({ turns }: Example): Question[] {
  const answers = turns.flatMap(({ role }, at) => (role === 'assistant' ? [at] : []));
  return answers.map((at, turn) => {
    const prompt = turns.slice(0, at);
    const asked = prompt.findLast(({ role }) => role === 'user');
    return { turn, prompt, text: textOf(asked), expected: textOf(turns[at]) };
  });
}

function textOf(turn: Turn | undefined): string {
  return turn?.content.map((part) => (part.type === 'text' ? part.text : '')).join('') ?? '';
}

/** The same conversation about other pictures, which take the places of its own in their order. */
export function withPictures(prompt: readonly Turn[], pictures: readonly ImageReference[]): Turn[] {
  let next = 0;
  return prompt.map(({ role, content }) => ({
    role,
    content: content.map((part) => (part.type === 'image' ? { ...part, image: pictures[next++] } : part)),
  }));
}

/** Rows about the same pictures. */
export interface PictureSet {
  images: ImageReference[];
  rows: AskedRow[];
}

/** The same for the same pictures in the same order, and short: a picture may have its bytes with it. */
export function keyOfPictures(images: readonly ImageReference[]): string {
  return JSON.stringify(images.map(keyOf));
}

/** In the order in which their pictures come first in the file; a row without one stands for itself. */
export function pictureSets(rows: readonly AskedRow[]): PictureSet[] {
  const sets = new Map<string, PictureSet>();
  for (const row of rows) {
    const images = imagesOf(row.example);
    const key = images.length > 0 ? keyOfPictures(images) : `row ${row.example.row}`;
    const set = sets.get(key) ?? { images, rows: [] };
    set.rows.push(row);
    sets.set(key, set);
  }
  return [...sets.values()];
}

export function answersIn(sets: readonly { rows: readonly AskedRow[] }[]): number {
  return sets.reduce(
    (sum, { rows }) => sum + rows.reduce((own, { questions }) => own + questions.length, 0),
    0,
  );
}
