/** What `lorikeet report` may leave in a run folder, so that the next run there can take it away again. */
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';

export const reportFiles = { page: 'report.html', plots: 'plots', slide: 'slide' } as const;

/** The end of every text file of a report, by which it is known again. A comment in HTML, SVG and Markdown. */
export const reportMark = '\n<!-- lorikeet report -->\n';

/** Whether a report wrote this file; a PNG is told by the SVG beside it. */
export function isReportFile(file: string): boolean {
  const marked = file.endsWith('.png') ? `${file.slice(0, -4)}.svg` : file;
  const stat = lstatSync(marked, { throwIfNoEntry: false });
  return stat?.isFile() === true && tailOf(marked, Buffer.byteLength(reportMark)) === reportMark;
}

/** Removes a report of the run in this folder, and no file that anybody else wrote. */
export function removeReport(folder: string): void {
  const page = join(folder, reportFiles.page);
  if (isReportFile(page)) rmSync(page, { force: true });
  for (const name of [reportFiles.plots, reportFiles.slide]) removeFrom(join(folder, name));
}

function removeFrom(folder: string): void {
  if (!existsSync(folder) || !lstatSync(folder).isDirectory()) return;
  const ours = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter(isReportFile);
  for (const file of ours) rmSync(file, { force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

function tailOf(file: string, bytes: number): string {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const tail = Buffer.alloc(Math.min(bytes, size));
    readSync(descriptor, tail, 0, tail.length, size - tail.length);
    return tail.toString();
  } finally {
    closeSync(descriptor);
  }
}
