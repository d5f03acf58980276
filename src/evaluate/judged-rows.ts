/** Puts together what both models made of each question, the blind guess, and what was right. */
import type { Dataset } from '../data/dataset.ts';
import type { ImageReference } from '../data/example.ts';
import { imagesOf } from '../data/example-images.ts';
import { nameInFolder } from '../data/image/source.ts';
import type { Answered, BlindGuess } from '../metrics/floor.ts';
import { exactMatch } from '../metrics/match.ts';
import { rightForWrongPicture } from '../metrics/wrong-pictures.ts';
import type { Judged } from './estimates.ts';
import type { Examination, Examined } from './examination.ts';
import type { Prediction } from './prediction.ts';
import { type AskedRow, keyOfPictures, type PictureSet, type Question } from './questions.ts';

export interface Evidence {
  dataset: Pick<Dataset, 'images'>;
  guess: BlindGuess;
  sets: readonly PictureSet[];
  own: Examination;
  /** Only what both models answered is judged. */
  other?: Examination;
}

/** A prediction for every answer that was given, in the order of the file. */
export function judgedRows(evidence: Evidence): Judged[] {
  const { other } = evidence;
  return givenAnswers(evidence).filter(({ prediction }) => !other || prediction.against);
}

/** The same, whether the other model came to it or not. */
export function givenAnswers({ dataset, guess, sets, own, other }: Evidence): Judged[] {
  const nameOf = (image: ImageReference) => nameInFolder(image, dataset.images);
  const readable = withoutLost(sets, own);
  const elsewhere = rightElsewhere(readable);
  const rows = readable.flatMap((set) => set.rows);
  rows.sort((a, b) => a.example.row - b.example.row);
  return rows.flatMap((row) =>
    row.questions.flatMap((question, i) => {
      const examined = own.rows.get(row.example.row)?.[i];
      if (!examined?.answer) return [];
      const found = other?.rows.get(row.example.row)?.[i];
      const against = found?.answer && found;
      const facts = { row, question, examined, against, guess, nameOf };
      const prediction = predictionOf({ ...facts, elsewhere: elsewhere.get(question) ?? null });
      return [{ cluster: clusterOf(row), prediction }];
    }),
  );
}

/** A row whose picture could not be read is in no figure: not in what other pictures are asked, not among the pictures. */
export function withoutLost(sets: readonly PictureSet[], { lost }: Examination): PictureSet[] {
  const gone = new Set(lost.map(({ row }) => row));
  return sets
    .map(({ images, rows }) => ({ images, rows: rows.filter(({ example }) => !gone.has(example.row)) }))
    .filter(({ rows }) => rows.length > 0);
}

/** What the blind guess learns from a row. */
export function answered({ example, questions }: AskedRow): Answered[] {
  const { answerType } = example;
  return questions.map(({ text, expected }) => ({ question: text, answer: expected, answerType }));
}

/** A group, where the data has them; else the pictures; else the row itself. */
function clusterOf({ example }: AskedRow): string {
  if (example.group !== undefined) return `group ${example.group}`;
  const images = imagesOf(example);
  return images.length > 0 ? keyOfPictures(images) : `row ${example.row}`;
}

function rightElsewhere(sets: readonly PictureSet[]): Map<Question, number | undefined> {
  const asked = sets
    .filter(({ images }) => images.length > 0)
    .flatMap(({ images, rows }) => {
      const picture = keyOfPictures(images);
      return rows.flatMap(({ questions }) => questions.map((question) => ({ question, picture })));
    });
  const shares = rightForWrongPicture(
    asked.map(({ question: { text, expected }, picture }) => ({ question: text, expected, picture })),
  );
  return new Map(asked.map(({ question }, i) => [question, shares[i]]));
}

interface Facts {
  row: AskedRow;
  question: Question;
  examined: Examined;
  against?: Examined;
  guess: BlindGuess;
  nameOf: (image: ImageReference) => string;
  elsewhere: number | null;
}

function predictionOf({ row, question, examined, against, guess, nameOf, elsewhere }: Facts): Prediction {
  const { type, answerType, group } = row.example;
  const { text, expected, turn } = question;
  const { answer: blind, from } = guess({ question: text, answerType });
  const { shuffled } = examined;
  return {
    row: row.example.row,
    turn,
    ...(type !== undefined && { type }),
    ...(answerType !== undefined && { answerType }),
    ...(group !== undefined && { group }),
    images: imagesOf(row.example).map(nameOf),
    question: text,
    expected,
    ...examined.answer,
    loss: examined.loss?.loss ?? null,
    tokens: examined.loss?.tokens ?? 0,
    characters: [...expected].length,
    floor: { predicted: blind, exact: exactMatch(blind, expected), from },
    ...(shuffled && {
      shuffled: { images: shuffled.images.map(nameOf), ...shuffled.answer, rightElsewhere: elsewhere },
    }),
    ...(against && { against: { ...against.answer, loss: against.loss?.loss ?? null } }),
  };
}
