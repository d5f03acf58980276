/** `scores/`: what each scored row cost, a row a line, and small pictures beside them. */
import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { RowScore } from '../train/row-scores.ts';
import { runFiles } from '../train/run-folder.ts';
import { eachLine, readBytes } from './bounded-files.ts';
import { LineAccount } from './line-account.ts';

/** A row of 16,000 label tokens has about 2 MB. */
const limits = { lineLimit: 8 * 2 ** 20, byteLimit: 512 * 2 ** 20 };
const pictureLimit = 2 * 2 ** 20;

const tokenScore = z.object({
  text: z.string(),
  kind: z.enum(['answer', 'end']),
  loss: z.number(),
  hit: z.boolean(),
  top: z.number(),
});
const rowScore: z.ZodType<RowScore> = z.object({
  step: z.int().min(0),
  split: z.enum(['train', 'validation']),
  row: z.int().min(0),
  type: z.string().optional().catch(undefined),
  group: z.string().optional().catch(undefined),
  images: z.array(z.string()).catch([]),
  question: z.string().catch(''),
  tokens: z.array(tokenScore),
  picture: z.string().optional().catch(undefined),
});

/** The rows of `start.jsonl` or `last.jsonl`, with sentences on what was left out; throws `Unreadable`. */
export function readScores(folder: string, which: 'start' | 'last'): { rows: RowScore[]; missing: string[] } {
  const name = `${which}.jsonl`;
  const account = new LineAccount();
  const rows: RowScore[] = [];
  const read = eachLine(join(folder, runFiles.scores, name), limits, (line, isLast) => {
    const value = account.parsed(line, isLast);
    if (value === undefined) return;
    const { success, data } = rowScore.safeParse(value);
    account.told(success);
    if (success) rows.push(data);
  });
  return { rows, missing: account.sentences(`${runFiles.scores}/${name}`, read) };
}

/**
 * The bytes of a JPEG under `scores/pictures/`; nothing where there is none, where the name leads elsewhere or the
 * file is a link, too large or no JPEG.
 */
export function readPicture(folder: string, name: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$/.test(name)) return undefined;
  try {
    const file = join(realpathSync(folder), runFiles.scores, 'pictures', name);
    if (!lstatSync(file).isFile() || realpathSync(file) !== file) return undefined;
    const bytes = readBytes(file, pictureLimit);
    const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
    return isJpeg ? new Uint8Array(bytes) : undefined;
  } catch {
    return undefined;
  }
}
