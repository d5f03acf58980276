/** Where inspected rows go: a terminal, one JSON document, a page. */
import { resolve } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { writeFileAtomically } from '../formats/atomic.ts';
import type { Inspection } from '../inspect/inspection.ts';
import { createPage, type PageWriter, pageRows } from '../inspect/page.ts';
import { choosePaint } from '../inspect/paint.ts';
import type { InspectedRow } from '../inspect/row.ts';
import { showRow } from '../inspect/terminal.ts';
import { unmatchedLine } from '../inspect/terminal-audit.ts';
import { addRow, emptyTotals, lossAndAccuracy } from '../inspect/totals.ts';
import { shortPath } from '../words.ts';
import type { InspectCommandOptions } from './inspect-command.ts';

export interface InspectSink {
  begin(inspection: Inspection): Promise<void> | void;
  row(row: InspectedRow): Promise<void> | void;
  end(): Promise<void> | void;
}

/** A page alone needs no terminal. */
export function createSinks({ json, html }: Pick<InspectCommandOptions, 'json' | 'html'>): InspectSink[] {
  const sinks: InspectSink[] = [];
  if (html !== undefined) sinks.push(pageSink(html));
  if (json) sinks.push(jsonSink(process.stdout));
  return sinks.length > 0 ? sinks : [terminalSink(process.stdout)];
}

/** The name's ending keeps a slip of the hand from replacing a data file. */
function pageSink(given: string): InspectSink {
  if (!/\.html?$/i.test(given)) {
    throw new LorikeetError('config', {
      what: `--html expected a file name that ends in .html, got ${JSON.stringify(given)}`,
      fix: 'For instance --html rows.html.',
    });
  }
  const file = resolve(given);
  let page: PageWriter;
  return {
    begin(inspection) {
      const { length } = inspection.rows;
      if (length > pageRows) {
        throw new LorikeetError('config', {
          what: `--html expected at most ${pageRows} rows, got ${length}`,
          fix: 'Choose rows with --row, or take --json.',
        });
      }
      page = createPage(inspection);
    },
    row: (row) => page.add(row),
    async end() {
      await writePage(file, page.finish());
      process.stderr.write(`Page: ${shortPath(file)}\n`);
    },
  };
}

async function writePage(file: string, text: string): Promise<void> {
  try {
    await writeFileAtomically(file, (handle) => handle.writeFile(text));
  } catch (cause) {
    const what = `the page could not be written: ${(cause as Error).message}`;
    throw new LorikeetError('run', {
      file,
      what,
      fix: 'Name a file in a folder that can be written.',
      cause,
    });
  }
}

/** One document, written row by row: all rows of a data set need not fit in memory. */
export function jsonSink(out: NodeJS.WritableStream): InspectSink {
  let rows = 0;
  let tail = ']';
  return {
    begin: ({ rule, unmatched }) => {
      if (rule?.isFile) tail = `],"unmatched":${JSON.stringify(unmatched)}`;
      return write(out, '{"rows":[');
    },
    row: (row) => write(out, `${rows++ === 0 ? '\n' : ',\n'}${JSON.stringify(withoutPictures(row))}`),
    end: () => write(out, `\n${tail}}\n`),
  };
}

/** They are for pages; a document names the files. */
function withoutPictures(row: InspectedRow): InspectedRow {
  if ('refused' in row) return row;
  return { ...row, images: row.images.map(({ picture: _, ...image }) => image) };
}

function terminalSink(out: NodeJS.WriteStream): InspectSink {
  const screen = { paint: choosePaint(out, process.env), columns: out.columns ?? Number.POSITIVE_INFINITY };
  const totals = emptyTotals();
  let findings: string[] = [];
  return {
    begin: ({ unmatched }) => {
      findings = unmatched.map(unmatchedLine);
      return write(out, `${screen.paint.legend}\n`);
    },
    row(row) {
      addRow(totals, row);
      return write(out, `${showRow(row, screen)}\n`);
    },
    async end() {
      const closing = [...findings, lossAndAccuracy(totals)].filter((text) => text !== undefined);
      if (closing.length > 0) await write(out, `${closing.join('\n')}\n`);
    },
  };
}

/** Waits while the reader is slower; a reader that has gone away ends nothing. */
async function write(out: NodeJS.WritableStream, text: string): Promise<void> {
  if (!out.writable || out.write(text)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      out.off('drain', done);
      out.off('close', done);
      out.off('error', done);
      resolve();
    };
    out.on('drain', done).on('close', done).on('error', done);
  });
}
