import { LorikeetError } from '../../errors.ts';
import { type ChosenFields, chooseFields, type Fields } from './fields.ts';
import { ownSource } from './image-source.ts';
import { isRecord, type JsonObject, own } from './own.ts';

/** The forms of a row by their names, as printed at start. */
export const formNames = {
  flat: 'image, question, answer',
  messages: 'messages',
  messagesImages: 'messages + images (Hugging Face)',
  messagesParts: 'messages whose image parts carry their file',
  openai: 'OpenAI chat messages with image_url parts',
  llava: 'LLaVA conversations',
} as const;

export type RowForm = keyof typeof formNames;

export interface DetectedForm extends ChosenFields {
  form: RowForm;
}

/** The column that holds the turns of a form; undefined for flat rows. */
export function turnsColumn(form: RowForm): 'messages' | 'conversations' | undefined {
  if (form === 'flat') return undefined;
  return form === 'llava' ? 'conversations' : 'messages';
}

/**
 * The form of a file from its first rows, and the columns that matter for it.
 *
 * @throws LorikeetError 'data' for rows of no known form, with the columns that were found.
 */
export function detectForm(rows: JsonObject[], given: Partial<Fields>): DetectedForm {
  const chosen = chooseFields(rows, given);
  const isFlat = given.question !== undefined || given.answer !== undefined;
  const column = isFlat
    ? undefined
    : ['messages', 'conversations'].find((name) => Array.isArray(own(rows[0], name)));
  if (column === undefined) return { form: 'flat', ...checkFlat(chosen, rows) };
  const fields = conversationFields(chosen, rows);
  if (column === 'conversations') return { form: 'llava', ...fields };
  return { form: messagesForm(rows, fields.fields.image), ...fields };
}

function checkFlat(chosen: ChosenFields, rows: JsonObject[]): ChosenFields {
  const missing = (['image', 'question', 'answer'] as const).filter(
    (key) => chosen.fields[key] === undefined,
  );
  if (missing.length === 0) return chosen;
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const wrapper = rows.length === 1 && wrappers.find((name) => isTable(own(rows[0], name)));
  if (wrapper) {
    throw new LorikeetError('data', {
      what: `rows expected, got one object whose ${wrapper} holds a list of them`,
      fix: `Write the list under ${wrapper} alone, as a JSON array or one row a line.`,
    });
  }
  throw new LorikeetError('data', {
    what: `rows expected with image, question, answer, or with messages or conversations, got ${columns.slice(0, 30).join(', ') || 'no columns'}: no ${missing.join(', no ')}`,
    fix: `Name the columns (data.fields: { ${missing.map((key) => `${key}: ...`).join(', ')} }); rows without pictures are written as messages.`,
  });
}

/** What exports call the list of rows in an object around it. */
const wrappers = [
  'data',
  'rows',
  'train',
  'test',
  'examples',
  'samples',
  'items',
  'annotations',
  'questions',
];

function isTable(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isRecord);
}

/** Of a conversation's row only the images, its types and the group stand outside its turns. */
function conversationFields({ fields, guessed }: ChosenFields, rows: JsonObject[]): ChosenFields {
  const { type, answerType, group } = fields;
  const listed = ['images', 'image'].find((name) => rows.some((row) => own(row, name) !== undefined));
  const image = guessed.includes('image') ? listed : fields.image;
  return {
    fields: {
      ...(image && { image }),
      ...(type && { type }),
      ...(answerType && { answerType }),
      ...(group && { group }),
    },
    guessed: guessed.filter(
      (key) => key !== 'question' && key !== 'answer' && (key !== 'image' || image !== undefined),
    ),
  };
}

function messagesForm(rows: JsonObject[], imageColumn: string | undefined): RowForm {
  const parts = rows.flatMap((row) => partsOf(own(row, 'messages')));
  if (parts.some((part) => own(part, 'image_url') !== undefined)) return 'openai';
  if (parts.some((part) => own(part, 'text') === undefined && ownSource(part) !== undefined))
    return 'messagesParts';
  return imageColumn === undefined ? 'messages' : 'messagesImages';
}

function partsOf(messages: unknown): JsonObject[] {
  if (!Array.isArray(messages)) return [];
  return messages
    .filter(isRecord)
    .flatMap((turn) => own(turn, 'content'))
    .filter(isRecord);
}
