/** All rows past one model: picture by picture, so that each is read once for everything that is asked about it. */
import { setImmediate } from 'node:timers/promises';
import type { Dataset } from '../data/dataset.ts';
import type { ImageReference, Turn } from '../data/example.ts';
import { keyOf } from '../data/image/source.ts';
import { isBadRow, withPlace } from '../data/place.ts';
import type { Answer } from '../generate/engine.ts';
import type { Encoder } from '../train/encoder.ts';
import type { Sample, SampleImage } from '../train/step.ts';
import type { Examinee } from './examinee.ts';
import { type AnswerLoss, type ScoredAnswer, scoreAnswer } from './prediction.ts';
import {
  type AskedRow,
  answersIn,
  type LostRow,
  type PictureSet,
  type Question,
  withPictures,
} from './questions.ts';
import { turnLosses } from './turn-losses.ts';

/** What one model made of one question. */
export interface Examined {
  answer: ScoredAnswer;
  /** Nothing where `data.maxLength` cut the row. */
  loss?: AnswerLoss;
  /** The same question about other pictures. */
  shuffled?: { answer: ScoredAnswer; images: readonly ImageReference[] };
}

export interface Examination {
  /** By row, in the order of its questions. Rows that were lost on the way have none. */
  rows: Map<number, Examined[]>;
  lost: LostRow[];
}

export interface ExaminationInput {
  /** One without `losses` is asked for answers alone. */
  examinee: Pick<Examinee, 'answers'> & Partial<Pick<Examinee, 'losses' | 'find'>>;
  dataset: Pick<Dataset, 'place'>;
  encoder: Pick<Encoder, 'load' | 'picture'>;
  sets: readonly PictureSet[];
  /** Whose questions are also asked about which pictures: `exchangePictures`. Empty for no image test. */
  guests: ReadonlyMap<PictureSet, PictureSet>;
  isStrict: boolean;
  /** Rows between two words of how far it is; their losses share graph runs. Default 32. */
  rowsTogether?: number;
  stopped: () => boolean;
}

/** Answers so far, out of how many. */
export interface Answers {
  done: number;
  total: number;
}

/** Rows that are scored and answered together. */
const defaultRowsTogether = 32;

/** Rows that are asked about their own pictures, and rows of another set that are asked about the same. */
interface Part {
  images: readonly ImageReference[];
  rows: readonly AskedRow[];
  guests: readonly AskedRow[];
}

export function newExamination(): Examination {
  return { rows: new Map(), lost: [] };
}

/** Fills an examination; false where it was stopped on the way. */
export async function* examine(
  input: ExaminationInput,
  examination: Examination,
): AsyncGenerator<Answers | LostRow, boolean> {
  const { sets, guests, rowsTogether = defaultRowsTogether, stopped } = input;
  const total = answersIn(sets) + answersIn([...guests.values()]);
  let done = 0;
  for (const chunk of chunksOf(sets, guests, rowsTogether)) {
    const before = examination.lost.length;
    const isThrough = await examineChunk(chunk, input, examination);
    yield* examination.lost.slice(before);
    await setImmediate(); // a signal is heard here
    if (!isThrough || stopped()) return false;
    done += answersIn(chunk) + answersIn(chunk.map((part) => ({ rows: part.guests })));
    yield { done, total };
  }
  return true;
}

function* chunksOf(
  sets: readonly PictureSet[],
  guests: ReadonlyMap<PictureSet, PictureSet>,
  rowsTogether: number,
): Generator<Part[]> {
  let chunk: Part[] = [];
  let rows = 0;
  for (const part of sets.flatMap((set) => [...partsOf(set, guests.get(set))])) {
    chunk.push(part);
    rows += part.rows.length + part.guests.length / 2;
    if (rows < rowsTogether) continue;
    yield chunk;
    [chunk, rows] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}

/** A picture with thousands of questions comes in parts. */
function* partsOf({ images, rows }: PictureSet, guest: PictureSet | undefined): Generator<Part> {
  const others = guest?.rows ?? [];
  for (let at = 0; at < Math.max(rows.length, others.length); at += defaultRowsTogether) {
    const end = at + defaultRowsTogether;
    yield { images, rows: rows.slice(at, end), guests: others.slice(at, end) };
  }
}

/** A question on its way to the model, and where its answer goes. */
interface Asked {
  prompt: Turn[];
  expected: string;
  take: (answer: ScoredAnswer) => void;
}

/** False where it was stopped. */
async function examineChunk(
  chunk: readonly Part[],
  input: ExaminationInput,
  examination: Examination,
): Promise<boolean> {
  const { examinee } = input;
  const picture = oncePerPicture((image) => input.encoder.picture(image, examinee.find));
  const read = await readChunk(chunk, picture, input, examination);
  const scored = examinee.losses ? await examinee.losses(read.map(({ sample }) => sample)) : [];
  if (!scored) return false;
  const asked = read.flatMap(({ row, sample }, i) => {
    const losses = sample.encoded.cut || !examinee.losses ? [] : turnLosses(scored[i]);
    return ownQuestions(row, losses, examination);
  });
  for (const { images, guests } of chunk)
    if (await areReadable(images, picture)) asked.push(...guestQuestions(guests, images, examination));
  const answers = await examinee.answers(asked.map(({ prompt }) => prompt));
  answers.forEach((answer: Answer, i) => {
    if (answer.finish !== 'aborted') asked[i].take(scoreAnswer(answer, asked[i].expected));
  });
  return answers.every(({ finish }) => finish !== 'aborted');
}

/** Whose own rows are lost has no guests either. */
function areReadable(images: readonly ImageReference[], picture: ReadOnce): Promise<boolean> {
  return Promise.all(images.map((image) => picture(image))).then(
    () => true,
    () => false,
  );
}

/** Answers may come to a row before its own turn: from pictures that it is a guest of. */
function slot({ rows }: Examination, { example, questions }: AskedRow, i: number): Partial<Examined> {
  const slots: Partial<Examined>[] = rows.get(example.row) ?? questions.map(() => ({}));
  rows.set(example.row, slots as Examined[]);
  return slots[i];
}

function ownQuestions(row: AskedRow, losses: readonly AnswerLoss[], examination: Examination): Asked[] {
  return row.questions.map(({ prompt, expected }, i) => ({
    prompt,
    expected,
    take: (answer) => Object.assign(slot(examination, row, i), { answer, loss: losses[i] }),
  }));
}

function guestQuestions(
  rows: readonly AskedRow[],
  images: readonly ImageReference[],
  examination: Examination,
): Asked[] {
  return rows.flatMap((row) =>
    row.questions.map(({ prompt, expected }: Question, i) => ({
      prompt: withPictures(prompt, images),
      expected,
      take: (answer) => Object.assign(slot(examination, row, i), { shuffled: { answer, images } }),
    })),
  );
}

interface ReadRow {
  row: AskedRow;
  sample: Sample;
}

/** Tokens and pixels, each picture decoded once. A row whose picture cannot be read is lost. */
async function readChunk(
  chunk: readonly Part[],
  picture: ReadOnce,
  { encoder, dataset, isStrict }: ExaminationInput,
  { lost }: Examination,
): Promise<ReadRow[]> {
  const load = async (row: AskedRow): Promise<ReadRow | undefined> => {
    try {
      return { row, sample: await encoder.load(row.example, picture) };
    } catch (cause) {
      const error = withPlace(cause, dataset.place(row.example.row));
      if (isStrict || !isBadRow(error)) throw error;
      lost.push({ row: row.example.row, reason: error.message });
      return undefined;
    }
  };
  const loaded = await Promise.all(chunk.flatMap(({ rows }) => rows.map(load)));
  return loaded.filter((row) => row !== undefined);
}

type ReadOnce = (image: ImageReference) => Promise<SampleImage>;

function oncePerPicture(read: ReadOnce): ReadOnce {
  const known = new Map<string, Promise<SampleImage>>();
  return (image) => {
    const key = keyOf(image);
    const picture = known.get(key) ?? read(image);
    known.set(key, picture);
    return picture;
  };
}
