import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { LorikeetError } from '../errors.ts';
import { writeFileAtomically } from '../formats/atomic.ts';
import { isClaim } from '../formats/lock.ts';
import { removeCheckpoints } from './checkpoints/checkpoint-files.ts';
import { removeEvaluations } from './evaluation-files.ts';
import type { FinishEvent, StartEvent, TrainEvent } from './events.ts';
import { removeHalfWritten } from './half-written.ts';
import type { RunIdentity } from './identity.ts';
import { removeReport } from './report-files.ts';
import type { RowScore } from './row-scores.ts';
import { namesIn, runFiles } from './run-files.ts';
import { openScalarLog } from './tensorboard.ts';

export { runFiles } from './run-files.ts';

export type RunStatus = 'running' | 'finished' | 'stopped' | 'failed';

/** `run.json`: what is needed to understand and to repeat a run, with all that its start told. */
export interface RunRecord extends Partial<Omit<StartEvent, 'type'>> {
  status: RunStatus;
  startedAt: string;
  endedAt?: string;
  /** What ended a run that failed. */
  error?: string;
  versions?: { lorikeet: string; node?: string; onnxruntime?: string };
  platform?: { os: string; arch: string; cpu?: string; cores: number };
  seed?: number;
  config?: { file?: string; given: Record<string, unknown>; resolved: Config };
  finish?: FinishEvent;
  /** The step that `adapter/` stands for; absent while the run goes on and where nothing was learned. */
  adapterStep?: number;
  /** What was written in `adapter/` and `best/`: what a later run may remove there. */
  files?: string[];
  /** Rows that are not used, in the check before step 1 or because their pixels could not be decoded later. */
  skipped?: SkippedRow[];
  /** What the run began with, to be held against on resume and when it is repeated. */
  identity?: RunIdentity;
}

export interface SkippedRow {
  split: string;
  row: number;
  reason: string;
}

/**
 * Refuses a folder that cannot be written, one that holds a run, unless it may be overwritten or gone on with, and one that
 * holds anything else.
 */
export function checkOutput(folder: string, mayHoldRun: boolean): void {
  checkWritable(folder, folder);
  if (!existsSync(folder)) return;
  if (readdirSync(folder).filter((name) => !isOfLock(name)).length === 0) return;
  if (!readRunRecord(folder)) {
    refuse(
      folder,
      'output expected a new folder, got one that holds files which no run wrote',
      'Name another output; Lorikeet removes nothing that it did not write.',
    );
  }
  if (!mayHoldRun) {
    refuse(
      folder,
      'output expected a new folder, got one that holds a run',
      'Name another output, or pass --resume to go on with that run, or --overwrite to replace it (resume: true and ' +
        'overwrite: true in the library).',
    );
  }
}

/** A claim, or what a process left that was killed while it wrote one. */
function isOfLock(name: string): boolean {
  return isClaim(name) || /^\.run\.lock\..*\.tmp$/.test(name);
}

/** The folder itself where it is there, or the nearest one above it that is. */
function checkWritable(folder: string, output: string): void {
  if (!existsSync(folder)) {
    if (dirname(folder) !== folder) checkWritable(dirname(folder), output);
    return;
  }
  if (!statSync(folder).isDirectory()) {
    const where = folder === output ? 'a file' : `a path inside the file ${folder}`;
    refuse(output, `output expected a folder, got ${where}`, 'Name another output.');
  }
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    const what = `output expected a folder that can be written, but ${folder} cannot be by this user`;
    refuse(output, what, 'Name another output, or change who may write there.');
  }
}

/** Bytes: a folder that somebody else made may hold anything under this name. */
const recordLimit = 256 * 2 ** 20;

const whole = z.int().min(0);

/** Of what a run that goes on takes from the record. */
const taken: Partial<Record<keyof RunRecord, z.ZodType>> = {
  startedAt: z.string(),
  config: z.object({ resolved: z.record(z.string(), z.unknown()) }),
  finish: z.object({ step: whole, stoppedEarly: z.object({ patience: whole, bestStep: whole }).optional() }),
  adapterStep: whole,
  files: z.array(z.string()),
  resumed: z.array(z.object({ at: z.string(), step: whole })),
};

/** The record of the run in this folder, without what no run writes so; nothing where there is none that we wrote. */
export function readRunRecord(folder: string): RunRecord | undefined {
  try {
    const file = join(folder, runFiles.record);
    if (statSync(file).size > recordLimit) return undefined;
    const record = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof record?.versions?.lorikeet !== 'string') return undefined;
    for (const [name, schema] of Object.entries(taken)) {
      if (!schema.safeParse(record[name]).success) delete record[name];
    }
    return record;
  } catch {
    return undefined;
  }
}

/** A run folder that is being written. Every file in it is whole at every moment. */
export interface RunFolder {
  path: string;
  /** Appends a line to `metrics.jsonl`, and its scalars for TensorBoard; `durable` waits until the disk has the line. */
  appendMetrics(event: TrainEvent, durable: boolean): Promise<void>;
  /** Replaces the adapter in `adapter/` or `best/`; `write` is handed an empty folder. */
  replaceAdapter(which: 'last' | 'best', write: (folder: string) => Promise<void> | void): Promise<void>;
  /** Replaces the rows of `scores/start.jsonl` or `scores/last.jsonl`. */
  replaceScores(which: 'start' | 'last', rows: AsyncIterable<RowScore>): Promise<void>;
  /** Keeps a small picture under `scores/pictures/`, where it is not there yet. */
  keepPicture(name: string, jpeg: Uint8Array): Promise<void>;
  update(changes: Partial<RunRecord>): Promise<void>;
  /** Adds a row to those that the record names as skipped. */
  addSkipped(row: SkippedRow): Promise<void>;
  /** The files that grow, once the disk has what they hold. */
  flushed(): Grown;
  /** Names in `best/` that the run wrote. */
  bestFiles(): string[];
  close(): void;
}

/** Bytes of `metrics.jsonl` and of the curves for TensorBoard. */
export interface Grown {
  metrics: number;
  scalars: number;
}

/**
 * Creates the folder, or clears the run that it holds: call `checkOutput` first. With `keep` the run that it holds is gone
 * on with instead: the files that grow are cut there, and all others stay. Throws `run` where the disk is full or does
 * not let itself be written; so do the folder's methods.
 */
export async function openRunFolder(path: string, record: RunRecord, keep?: Grown): Promise<RunFolder> {
  // Files of the run that is replaced stay named until the next record: killed in between, they are still ours.
  const files = record.files ?? readRunRecord(path)?.files;
  let current: RunRecord = { ...record, ...(files && { files }) };
  const metricsFile = join(path, runFiles.metrics);
  const update = async (changes: Partial<RunRecord>) => {
    current = { ...current, ...changes };
    await writeRecord(path, current);
  };
  const { metrics, scalars } = await written(path, async () => {
    makeFolder(path);
    if (keep) {
      truncateSync(metricsFile, keep.metrics);
      clearHalfWritten(path);
      await writeRecord(path, current);
    } else {
      // Killed at any moment, it leaves a record that is true: of the former run while that has all but its checkpoints, of
      // the new one from then on.
      removeCheckpoints(path);
      await writeRecord(path, current);
      removeFiles(path, files);
    }
    const scalars = openScalarLog(join(path, runFiles.tensorboard), undefined, keep?.scalars);
    return { metrics: openSync(metricsFile, 'a'), scalars };
  });
  return {
    path,
    appendMetrics: (event, durable) =>
      written(metricsFile, () => {
        appendLine(metrics, event, durable);
        scalars.add(event);
      }),
    replaceAdapter: (which, write) =>
      replaceFiles(join(path, runFiles[which]), write, async (names) => {
        const files = new Set([
          ...(current.files ?? []),
          ...names.map((name) => `${runFiles[which]}/${name}`),
        ]);
        if (files.size !== (current.files ?? []).length) await update({ files: [...files] });
      }),
    replaceScores: (which, rows) => {
      const file = join(path, runFiles.scores, `${which}.jsonl`);
      return written(file, () =>
        writeFileAtomically(file, async (handle) => {
          for await (const row of rows) await handle.write(`${JSON.stringify(row)}\n`);
        }),
      );
    },
    keepPicture: async (name, jpeg) => {
      const file = join(path, runFiles.scores, 'pictures', name);
      if (existsSync(file)) return;
      await written(file, () => writeFileAtomically(file, (handle) => handle.writeFile(jpeg)));
    },
    update,
    addSkipped: (row) => update({ skipped: [...(current.skipped ?? []), row] }),
    flushed: () => {
      fsyncSync(metrics);
      return { metrics: fstatSync(metrics).size, scalars: scalars.flushed() };
    },
    bestFiles: () => namesIn(runFiles.best, current.files),
    close: () => {
      closeSync(metrics);
      scalars.close();
    },
  };
}

/** One by one, because Node's recursive `mkdir` never ends where the system denies a folder it cannot see. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

/** A whole line or nothing of it: a full disk takes the beginning of a line and refuses the rest. */
function appendLine(file: number, line: object, durable: boolean): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  const { size } = fstatSync(file);
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(file, bytes, done);
  } catch (error) {
    ftruncateSync(file, size);
    throw error;
  }
  if (durable) fsyncSync(file);
}

/** Runs `work`; what the system refuses becomes a `run` error that names `file`. */
export async function written<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    const what = `could not be written: ${(cause as Error).message}`;
    throw new LorikeetError('run', {
      file,
      what,
      fix: 'Make room on the disk, or name another output.',
      cause,
    });
  }
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

function removeFiles(path: string, written: readonly string[] | undefined): void {
  for (const folder of [runFiles.last, runFiles.best]) {
    for (const file of namesIn(folder, written)) rmSync(join(path, folder, file), { force: true });
  }
  for (const adapter of [runFiles.last, runFiles.best]) {
    const folder = join(path, adapter);
    if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
  }
  clearHalfWritten(path);
  removeScores(join(path, runFiles.scores));
  removeReport(path);
  removeEvaluations(path);
  rmSync(join(path, runFiles.metrics), { force: true });
  rmSync(join(path, runFiles.tensorboard), { force: true });
}

function clearHalfWritten(path: string): void {
  removeHalfWritten(path, /^(run\.(json|lock\..*)|(adapter|best)\.partial)$/);
  for (const adapter of [runFiles.last, runFiles.best]) {
    rmSync(join(path, `${adapter}.partial`), { recursive: true, force: true });
  }
  removeHalfWritten(join(path, runFiles.scores), /^(start|last)\.jsonl$/);
  removeHalfWritten(join(path, runFiles.scores, 'pictures'), /\.jpg$/);
  removeHalfWritten(join(path, runFiles.checkpoints), /^step-\d+$/);
}

function removeScores(folder: string): void {
  const pictures = join(folder, 'pictures');
  removeNamed(pictures, /^(train|validation)-\d+\.jpg$/);
  removeNamed(folder, /^(start|last)\.jsonl$/);
}

/** Files of these names, and the folder where it is empty then. */
function removeNamed(folder: string, names: RegExp): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (names.test(name)) rmSync(join(folder, name), { force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

function writeRecord(path: string, record: RunRecord): Promise<void> {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  const file = join(path, runFiles.record);
  return written(file, () => writeFileAtomically(file, (handle) => handle.writeFile(text)));
}

/** File by file, because a rename over a file is atomic and one over a folder is not. */
async function replaceFiles(
  folder: string,
  write: (folder: string) => Promise<void> | void,
  announce: (names: string[]) => Promise<void>,
): Promise<void> {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await written(folder, async () => {
      mkdirSync(partial);
      await write(partial);
      const names = readdirSync(partial);
      await announce(names);
      makeFolder(folder);
      for (const name of names) renameSync(join(partial, name), join(folder, name));
    });
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function refuse(file: string, what: string, fix: string): never {
  throw new LorikeetError('run', { file, what, fix });
}
