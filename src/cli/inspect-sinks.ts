/** Where inspected rows go: a terminal, or one JSON document. */
import type { Inspection } from '../inspect/inspection.ts';
import { choosePaint } from '../inspect/paint.ts';
import type { InspectedRow } from '../inspect/row.ts';
import { showRow } from '../inspect/terminal.ts';
import { unmatchedLine } from '../inspect/terminal-audit.ts';
import { addRow, emptyTotals, lossAndAccuracy } from '../inspect/totals.ts';
import type { InspectCommandOptions } from './inspect-command.ts';

export interface InspectSink {
  begin(inspection: Inspection): Promise<void> | void;
  row(row: InspectedRow): Promise<void> | void;
  end(): Promise<void> | void;
}

export function createSinks({ json }: Pick<InspectCommandOptions, 'json' | 'html'>): InspectSink[] {
  return [json ? jsonSink(process.stdout) : terminalSink(process.stdout)];
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
