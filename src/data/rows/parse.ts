import { LorikeetError } from '../../errors.ts';
import { checkConversation } from '../conversation.ts';
import type { Example, Turn } from '../example.ts';
import { flatTurns } from './flat.ts';
import { type DetectedForm, formNames, turnsColumn } from './form.ts';
import { conversationTurns } from './messages.ts';
import { isRecord, type JsonObject, named, own } from './own.ts';
import type { PictureFolders } from './picture-folders.ts';

export interface RowContext {
  detected: DetectedForm;
  folders: PictureFolders;
  /** The system text of rows that have none. */
  system?: string;
}

/**
 * A parsed line as an example.
 *
 * @throws LorikeetError 'data', or 'image' for a picture that is not there; without a place: the data set knows it.
 */
export function parseRow(value: unknown, row: number, context: RowContext): Example {
  if (!isRecord(value)) {
    throw new LorikeetError('data', {
      what: `a row expected as an object with named columns, got ${named(value)}`,
      fix: 'Write one JSON object for each row.',
    });
  }
  const { fields } = context.detected;
  const turns = withSystem(value, turnsOf(value, context), context.system);
  checkConversation(turns);
  const type = label(value, fields.type);
  const answerType = label(value, fields.answerType);
  const group = label(value, fields.group);
  return {
    row,
    turns,
    ...(type !== undefined && { type }),
    ...(answerType !== undefined && { answerType }),
    ...(group !== undefined && { group }),
  };
}

function turnsOf(row: JsonObject, { detected, folders }: RowContext): Turn[] {
  const { form, fields } = detected;
  const column = turnsColumn(form);
  if (column === undefined) return flatTurns(row, fields, folders);
  const turns = own(row, column);
  if (Array.isArray(turns)) {
    const imageColumn = fields.image ?? (own(row, 'images') === undefined ? 'image' : 'images');
    return conversationTurns(row, turns, imageColumn, folders);
  }
  throw new LorikeetError('data', {
    what: `column ${column} expected a list of turns as in the first row (${formNames[form]}), got ${named(turns)}`,
    fix: 'All rows of a file have one form: split it, or write this row as the others.',
  });
}

/** A system turn of the row itself goes before its `system` column, that before the config's text. */
function withSystem(row: JsonObject, turns: Turn[], configured: string | undefined): Turn[] {
  const column = own(row, 'system');
  if (column !== undefined && typeof column !== 'string') {
    throw new LorikeetError('data', { what: `column system expected text, got ${named(column)}` });
  }
  if (turns.some(({ role }) => role === 'system')) {
    if (column === undefined || column === '') return turns;
    throw new LorikeetError('data', {
      what: 'one system text expected, got one in the column system and one among the turns',
      fix: 'Keep one of the two.',
    });
  }
  const text = column ?? configured;
  if (text === undefined) return turns;
  return [{ role: 'system', content: [{ type: 'text', text }] }, ...turns];
}

/** A type or a group, as text; lists of words are joined. */
function label(row: JsonObject, column: string | undefined): string | undefined {
  const value = column === undefined ? undefined : own(row, column);
  const words = (Array.isArray(value) ? value : [value]).filter(
    (word) => typeof word === 'string' || typeof word === 'number',
  );
  return words.length === 0 ? undefined : words.join(', ');
}
