import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { writeFileAtomically } from '../formats/atomic.ts';

/** What stands in a run folder. Nothing else in it is ever touched. */
export const runFiles = {
  record: 'run.json',
  metrics: 'metrics.jsonl',
  last: 'adapter',
  best: 'best',
} as const;

export type RunStatus = 'running' | 'finished' | 'stopped' | 'failed';

/** `run.json`: what is needed to understand and to repeat a run. */
export interface RunRecord {
  status: RunStatus;
  startedAt: string;
  endedAt?: string;
  /** What was written in `adapter/` and `best/`: what a later run may remove. */
  files?: string[];
  [fact: string]: unknown;
}

/** Refuses a folder that holds a run, unless it may be overwritten, and one that holds anything else. */
export function checkOutput(folder: string, overwrite: boolean): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory())
    refuse(folder, 'output expected a folder, got a file', 'Name another output.');
  if (readdirSync(folder).length === 0) return;
  if (!readRunRecord(folder)) {
    refuse(
      folder,
      'output expected a new folder, got one that holds files which no run wrote',
      'Name another output; Lorikeet removes nothing that it did not write.',
    );
  }
  if (!overwrite) {
    refuse(
      folder,
      'output expected a new folder, got one that holds a run',
      'Name another output, or pass --overwrite (overwrite: true in the library) to replace that run.',
    );
  }
}

/** The record of the run in this folder; nothing where there is none that we wrote. */
export function readRunRecord(folder: string): RunRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(folder, runFiles.record), 'utf8'));
    return typeof record?.versions?.lorikeet === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** A run folder that is being written. Every file in it is whole at every moment. */
export interface RunFolder {
  path: string;
  /** Appends a line to `metrics.jsonl`; `durable` waits until the disk has it. */
  appendMetrics(line: object, durable: boolean): void;
  /** Replaces the adapter in `adapter/` or `best/`; `write` is handed an empty folder. */
  replaceAdapter(which: 'last' | 'best', write: (folder: string) => Promise<void> | void): Promise<void>;
  update(changes: Partial<RunRecord>): Promise<void>;
  close(): void;
}

/** Creates the folder, or clears the run that it holds: call `checkOutput` first. */
export async function openRunFolder(path: string, record: RunRecord): Promise<RunFolder> {
  let current = record;
  mkdirSync(path, { recursive: true });
  removeRun(path);
  await writeRecord(path, current);
  const update = async (changes: Partial<RunRecord>) => {
    current = { ...current, ...changes };
    await writeRecord(path, current);
  };
  const metrics = openSync(join(path, runFiles.metrics), 'a');
  return {
    path,
    appendMetrics(line, durable) {
      writeSync(metrics, `${JSON.stringify(line)}\n`);
      if (durable) fsyncSync(metrics);
    },
    replaceAdapter: (which, write) =>
      replaceFiles(join(path, runFiles[which]), write, async (names) => {
        const files = new Set([
          ...(current.files ?? []),
          ...names.map((name) => `${runFiles[which]}/${name}`),
        ]);
        if (files.size !== (current.files ?? []).length) await update({ files: [...files] });
      }),
    update,
    close: () => closeSync(metrics),
  };
}

/** Marks a run whose worker is gone; a run that has ended by itself keeps its word. */
export async function markEnded(path: string, status: RunStatus, error?: string): Promise<void> {
  const record = readRunRecord(path);
  if (record?.status !== 'running') return;
  await writeRecord(path, {
    ...record,
    status,
    endedAt: new Date().toISOString(),
    ...(error ? { error } : {}),
  });
}

function removeRun(path: string): void {
  const written = readRunRecord(path)?.files ?? [];
  for (const name of written) {
    const [folder, file, ...deeper] = String(name).split('/');
    const isOurs = (folder === runFiles.last || folder === runFiles.best) && deeper.length === 0;
    if (isOurs && basename(file) === file) rmSync(join(path, folder, file), { force: true });
  }
  for (const adapter of [runFiles.last, runFiles.best]) {
    const folder = join(path, adapter);
    if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
    rmSync(`${folder}.partial`, { recursive: true, force: true });
  }
  rmSync(join(path, runFiles.metrics), { force: true });
  // Last, so that a folder which is only half cleared still says that it is a run's.
  rmSync(join(path, runFiles.record), { force: true });
}

function writeRecord(path: string, record: RunRecord): Promise<void> {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  return writeFileAtomically(join(path, runFiles.record), (handle) => handle.writeFile(text));
}

/** File by file, because a rename over a file is atomic and one over a folder is not. */
async function replaceFiles(
  folder: string,
  write: (folder: string) => Promise<void> | void,
  announce: (names: string[]) => Promise<void>,
): Promise<void> {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  await write(partial);
  const names = readdirSync(partial);
  await announce(names);
  mkdirSync(folder, { recursive: true });
  for (const name of names) renameSync(join(partial, name), join(folder, name));
  rmdirSync(partial);
}

function refuse(file: string, what: string, fix: string): never {
  throw new LorikeetError('run', { file, what, fix });
}
