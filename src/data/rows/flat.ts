import { LorikeetError } from '../../errors.ts';
import type { Turn } from '../example.ts';
import type { Fields } from './fields.ts';
import { resolveImage } from './image-source.ts';
import { type JsonObject, named, own } from './own.ts';
import type { PictureFolders } from './picture-folders.ts';

/**
 * A flat row (`image, question, answer`) as one user turn and its answer: the image, or images, then the question
 * as it stands, nothing between. A list of images may be empty; an absent image is an error, never no image.
 */
export function flatTurns(row: JsonObject, fields: Partial<Fields>, folders: PictureFolders): Turn[] {
  const question = textOf(row, fields.question ?? 'question');
  const answer = textOf(row, fields.answer ?? 'answer');
  return [
    {
      role: 'user',
      content: [
        ...sourcesOf(row, fields.image ?? 'image').map((source) => {
          return { type: 'image' as const, image: resolveImage(source, folders) };
        }),
        { type: 'text', text: question },
      ],
    },
    { role: 'assistant', content: [{ type: 'text', text: answer }] },
  ];
}

function sourcesOf(row: JsonObject, column: string): unknown[] {
  const value = own(row, column);
  return Array.isArray(value) ? value : [value];
}

/** A whole number is read as its digits, because counts are answers too; anything else could be spelled in more ways. */
function textOf(row: JsonObject, column: string): string {
  const value = own(row, column);
  if (typeof value === 'string') return value;
  if (Number.isSafeInteger(value)) return String(value);
  const other = ['messages', 'conversations'].find((name) => Array.isArray(own(row, name)));
  throw new LorikeetError('data', {
    what: `column ${column} expected text, got ${named(value)}${other ? ` in a row with ${other}` : ''}`,
    fix: other
      ? 'All rows of a file have one form: split it, or write this row as the others.'
      : remedy(value),
  });
}

function remedy(value: unknown): string {
  if (value === undefined) return 'Fill it, or take the row out.';
  if (Array.isArray(value)) return 'Write one text, and a row for each where all of them are to be learned.';
  return 'Write it in quotes, exactly as the model is to read or say it.';
}
