import { LorikeetError } from '../../errors.ts';
import { type JsonObject, own } from './own.ts';

/** Which column of a row is what. */
export interface Fields {
  image: string;
  question: string;
  answer: string;
  type: string;
  answerType: string;
  group: string;
}

export interface ChosenFields {
  fields: Partial<Fields>;
  /** Those that were not given but found by their names. */
  guessed: (keyof Fields)[];
}

/** Common names, the most telling first; compared without case, `_`, `-` and spaces. */
const commonNames: { [K in keyof Fields]: string[] } = {
  image: ['image', 'images', 'imagepath', 'imagefile', 'imagefilename', 'imagename', 'imgpath', 'imgfile', 'imgname', 'img', 'filename', 'imageid', 'imgid'],
  question: ['question', 'instruction', 'query', 'prompt'],
  answer: ['answer', 'response', 'output'],
  type: ['questiontype', 'questionclass', 'type', 'category', 'stage'],
  answerType: ['answertype'],
  group: ['group', 'groupid', 'patientid', 'patient', 'subjectid', 'subject', 'videoid', 'video', 'studyid', 'caseid'],
}; // biome-ignore format: one line a field reads as a table

/**
 * The columns to read, given or guessed from the first rows of a file. A field nobody gave and no row has is left out.
 *
 * @throws LorikeetError 'data' where a given column is in none of the rows.
 */
export function chooseFields(rows: JsonObject[], given: Partial<Fields>): ChosenFields {
  const columns = [
    ...new Set(rows.flatMap((row) => Object.keys(row).filter((name) => own(row, name) !== undefined))),
  ];
  const fields: Partial<Fields> = {};
  const guessed: (keyof Fields)[] = [];
  for (const key of Object.keys(commonNames) as (keyof Fields)[]) {
    const name = given[key];
    if (name !== undefined) {
      if (!columns.includes(name)) throw noColumn(key, name, columns);
      fields[key] = name;
      continue;
    }
    const guess = guessColumn(columns, commonNames[key]);
    if (guess === undefined) continue;
    fields[key] = guess;
    guessed.push(key);
  }
  return { fields, guessed };
}

function guessColumn(columns: string[], names: string[]): string | undefined {
  for (const name of names) {
    const column = columns.find((candidate) => candidate.toLowerCase().replace(/[_\-\s]/g, '') === name);
    if (column !== undefined) return column;
  }
  return undefined;
}

function noColumn(key: string, name: string, columns: string[]): LorikeetError {
  return new LorikeetError('data', {
    what: `data.fields.${key} expected a column of the rows, got ${JSON.stringify(name)}; the rows have ${columns.slice(0, 30).join(', ') || 'none'}`,
    fix: 'Write the name as it stands in the data file.',
  });
}
