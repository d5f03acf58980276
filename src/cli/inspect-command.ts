import { loadConfig } from '../config/load.ts';
import { LorikeetError } from '../errors.ts';
import { type Inspection, type InspectOptions, openInspection } from '../inspect/inspection.ts';
import type { Split } from '../train/events.ts';
import { number, shortPath } from '../words.ts';
import { type ConfigWords, configWords } from './config-words.ts';
import { type Counter, createCounter } from './counter.ts';
import { createSinks, type InspectSink } from './inspect-sinks.ts';

export interface InspectCommandOptions {
  set?: string[];
  split?: string;
  row?: string[];
  adapter?: string;
  labels?: string;
  json?: boolean;
  html?: string;
}

/** Longer side in pixels of the pictures on a page. */
const pictureSide = 448;

/**
 * Runs `lorikeet inspect` and gives the exit code: 1 where a row cannot be used and `data.onBadRow` is `stop`. What was
 * asked for goes to stdout, everything else to stderr.
 */
export async function inspectCommand(
  file: string | undefined,
  options: InspectCommandOptions,
): Promise<number> {
  const words = separateWords(file, options);
  const config = await loadConfig(words.file, { set: words.set });
  const sinks = createSinks(options);
  const counter = createCounter(process.stderr);
  const stop = new AbortController();
  // A reader that goes away (`| head`) wants no more rows; a page is still wanted.
  if (options.html === undefined) process.stdout.once('error', () => stop.abort());
  try {
    const inspection = await open(config, { ...asked(words.rows, options), signal: stop.signal }, counter);
    tell(inspection, words.rows);
    const refused = await show(inspection, sinks, counter).finally(() => inspection.close());
    return refused > 0 && config.config.data.onBadRow === 'stop' ? 1 : 0;
  } finally {
    counter.clear();
  }
}

function asked(
  rows: InspectOptions['rows'],
  { split, adapter, labels, html }: InspectCommandOptions,
): InspectOptions {
  return { split: split as Split | undefined, rows, adapter, labels, ...(html && { pictureSide }) };
}

async function open(
  config: Awaited<ReturnType<typeof loadConfig>>,
  options: InspectOptions,
  counter: Counter,
): Promise<Inspection> {
  const opening = openInspection(config, options);
  while (true) {
    const next = await opening.next();
    if (next.done) return next.value;
    counter.tell('looking for the rows of the labels file', next.value.rows, next.value.totalRows);
  }
}

/** What was decided, before the first row. */
function tell(inspection: Inspection, asked: InspectOptions['rows']): void {
  const { rows, totalRows, file, split, adapter, withoutLosses, rule } = inspection;
  const lines: string[] = [];
  if (asked === undefined && rows.length < totalRows) {
    const which = rule?.isFile ? `${number(rows.length)}` : `The first ${number(rows.length)}`;
    lines.push(
      `${which} of ${number(totalRows)} ${split} rows of ${shortPath(file)}; --row N and --row all show others.`,
    );
  }
  if (withoutLosses !== undefined) lines.push(`No losses: ${withoutLosses}.`);
  else
    lines.push(adapter === undefined ? 'Adapter: none, the base alone.' : `Adapter: ${shortPath(adapter)}`);
  if (rule) lines.push(`Beside ours: ${rule.note}.`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** Gives the number of rows that cannot be used. */
async function show(inspection: Inspection, sinks: InspectSink[], counter: Counter): Promise<number> {
  let done = 0;
  let refused = 0;
  counter.tell('inspecting rows', 0, inspection.rows.length);
  for (const sink of sinks) await sink.begin(inspection);
  for await (const row of inspection.read()) {
    counter.clear();
    for (const sink of sinks) await sink.row(row);
    counter.tell('inspecting rows', ++done, inspection.rows.length);
    if ('refused' in row) refused++;
  }
  counter.clear();
  for (const sink of sinks) await sink.end();
  return refused;
}

interface Words extends ConfigWords {
  rows: InspectOptions['rows'];
}

/** `--row 3 vqa.yaml` takes the file for a row, as `--set a=1 vqa.yaml` does for a word. */
function separateWords(given: string | undefined, { set, row = [] }: InspectCommandOptions): Words {
  const amongRows =
    given === undefined ? row.findLast((word) => !isRow(word) && !word.includes('=')) : undefined;
  const words = configWords('inspect', given ?? amongRows, set);
  return { ...words, rows: readRows(row.filter((word) => word !== amongRows)) };
}

const isRow = (word: string) => word === 'all' || /^-?\d+$/.test(word);

function readRows(words: string[]): InspectOptions['rows'] {
  const wrong = words.find((word) => !isRow(word));
  if (wrong !== undefined) {
    throw new LorikeetError('config', {
      what: `--row expected the number of a row, from 0, or all, got ${JSON.stringify(wrong)}`,
      fix: 'For instance --row 0 7 12.',
    });
  }
  if (words.length === 0) return undefined;
  return words.includes('all') ? 'all' : words.map(Number);
}
