/** Files of a report: each whole or not there, and none of anybody else's replaced. */
import { lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { writeFileAtomically } from '../formats/atomic.ts';
import { isReportFile, reportMark } from '../train/report-files.ts';

/** Refuses a place where something stands that no report wrote, or whose folder is a link that leads elsewhere. */
export function checkReportFile(file: string): void {
  const folder = statOf(dirname(file));
  if (folder && !folder.isDirectory()) {
    refuse(dirname(file), `a folder expected, got ${folder.isSymbolicLink() ? 'a link' : 'a file'}`);
  }
  if (!statOf(file) || isReportFile(file)) return;
  refuse(file, 'expected a new file or one that a report wrote, got another');
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

export async function writeReportFile(file: string, content: string | Uint8Array): Promise<void> {
  const marked = typeof content === 'string' ? `${content.trimEnd()}${reportMark}` : content;
  try {
    await writeFileAtomically(file, (handle) => handle.writeFile(marked));
  } catch (cause) {
    throw unwritable(file, cause);
  }
}

const elsewhere = 'Name another place: --out FILE.html for the page, --slide FOLDER for the slide.';

function unwritable(file: string, cause: unknown): LorikeetError {
  const what = `could not be written: ${(cause as Error).message}`;
  return new LorikeetError('run', { file, what, fix: elsewhere, cause });
}

function refuse(file: string, what: string): never {
  throw new LorikeetError('run', { file, what, fix: elsewhere });
}
