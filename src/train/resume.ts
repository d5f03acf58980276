/** An interrupted run: what of it can be gone on from, whether it is still the same run, and how it is taken up. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { copyFile, cp } from 'node:fs/promises';
import os from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { LoadedConfig } from '../config/load.ts';
import { LorikeetError } from '../errors.ts';
import { count } from '../words.ts';
import { type ChangedWord, changedWords, tellChange } from './changed-words.ts';
import {
  type DamagedCheckpoint,
  newestCheckpoint,
  openCheckpoint,
  type WholeCheckpoint,
} from './checkpoints/checkpoint-files.ts';
import type { FinishEvent, NoticeEvent } from './events.ts';
import { withCutOf } from './memory-plan.ts';
import { type RunRecord, readRunRecord, runFiles } from './run-folder.ts';
import { versions } from './version.ts';

/** Where a resumed run begins. */
export interface Origin {
  /** The run is over and nothing more is asked of it. */
  finished?: FinishEvent;
  /** None where it begins at step 0. */
  checkpoint?: WholeCheckpoint;
  /** Of the run that is gone on with. */
  record?: RunRecord;
}

/**
 * Finds the newest whole checkpoint of the output's run, or opens the one that is named, and tells what it did not take
 * and which words were changed.
 *
 * @throws LorikeetError 'run' where the config asks for another run, and where the named checkpoint cannot be used.
 */
export async function* findOrigin(
  loaded: LoadedConfig,
  resume: true | string,
): AsyncGenerator<NoticeEvent, Origin> {
  const { output } = loaded.config;
  const { whole, damaged } =
    resume === true ? await newestCheckpoint(output) : await namedCheckpoint(resume, output);
  const record = readRunRecord(whole?.run ?? output);
  const before = whole?.state.config ?? record?.config?.resolved;
  const changes = before ? changedWords(before, withCutOf(loaded, before).config) : [];
  refuseOtherWords(changes, output);
  const isHere = whole === undefined || whole.run === output;
  if (isHere && record?.status === 'finished' && record.finish && !asksForMore(changes, record.finish)) {
    const steps = count(record.finish.step, 'step');
    const end = record.finish.stoppedEarly ? `early, after ${steps}` : `after ${steps}`;
    yield notice(`The run in ${output} is finished, ${end}; nothing was changed.`);
    return { finished: record.finish };
  }
  for (const { path, problem } of damaged) {
    yield notice(`${relative(output, path)} is not whole and was passed over: ${problem}.`);
  }
  if (!whole) {
    const found = record ? 'holds no whole checkpoint' : 'holds no run yet';
    yield notice(`${output} ${found}: the run starts at step 0.`);
    return { record };
  }
  for (const change of changes) yield notice(`${tellChange(change)}; ${change.effect}.`);
  return { checkpoint: whole, record };
}

async function namedCheckpoint(
  given: string,
  output: string,
): Promise<{ whole: WholeCheckpoint; damaged: DamagedCheckpoint[] }> {
  const path = pathIn(output, given);
  const isOne = /^step-\d+$/.test(basename(path)) && basename(dirname(path)) === runFiles.checkpoints;
  const found = isOne && existsSync(path) ? await openCheckpoint(path) : undefined;
  const fix =
    'Name a folder like RUN/checkpoints/step-200, or none: --resume alone takes the newest whole one.';
  if (!found) {
    const got = isOne ? 'no such folder' : 'another path';
    throw new LorikeetError('run', { file: given, what: `a checkpoint of a run expected, got ${got}`, fix });
  }
  if ('problem' in found) {
    throw new LorikeetError('run', { file: given, what: `is not a whole checkpoint: ${found.problem}`, fix });
  }
  if (found.run !== output && readRunRecord(output)) {
    throw new LorikeetError('run', {
      file: output,
      what: `output expected to be ${found.run}, whose checkpoint is gone on from, or a new folder; it holds another run`,
      fix: 'Name a new output.',
    });
  }
  return { whole: found, damaged: [] };
}

/** The same folder by the name that the output has: links may lead to either. */
function pathIn(output: string, given: string): string {
  const path = existsSync(given) ? realpathSync(given) : resolve(given);
  const run = dirname(dirname(path));
  const isOutputs = existsSync(output) && run === realpathSync(output);
  return isOutputs ? join(output, relative(run, path)) : path;
}

function refuseOtherWords(changes: readonly ChangedWord[], output: string): void {
  const wrong = changes.filter(({ effect }) => effect === undefined);
  if (wrong.length > 0) throw anotherRun(output, wrong.map(tellChange));
}

/** @throws with every difference, old value and new. */
export function anotherRun(output: string, differences: readonly string[]): LorikeetError {
  return new LorikeetError('run', {
    file: output,
    what: `the run that stands here is another one than is asked for: ${differences.join('; ')}`,
    fix: 'Put that back to go on with it, or begin a new run in another output.',
  });
}

function asksForMore(changes: readonly ChangedWord[], { stoppedEarly }: FinishEvent): boolean {
  const more = ['train.epochs', 'train.maxSteps', ...(stoppedEarly ? ['train.patience'] : [])];
  return changes.some(({ word }) => more.includes(word));
}

/** What the last bits of every sum depend on beside the run itself. */
export interface Machine {
  threads: number;
  versions: Record<string, string>;
  cpu?: string;
}

export function thisMachine(threads: number): Machine {
  return { threads, versions: versions(), cpu: os.cpus()[0]?.model };
}

/** What is not as it was, of what is known of then. */
export function machineChanges(before: Partial<Machine>, now: Machine): string[] {
  const flat = ({ threads, versions, cpu }: Partial<Machine>) => ({ ...versions, threads, processor: cpu });
  const [old, fresh] = [before, now].map(flat) as Record<string, string | number | undefined>[];
  return Object.keys(fresh)
    .filter((name) => old[name] !== undefined && old[name] !== fresh[name])
    .map((name) => `${name}: ${old[name]} then, ${fresh[name]} now`);
}

/** Lays what an interrupted run wrote until its checkpoint into a new output, where another one is asked for. */
export async function copyRun({ run }: WholeCheckpoint, output: string): Promise<void> {
  if (run === output) return;
  mkdirSync(output, { recursive: true });
  for (const name of [runFiles.metrics, runFiles.tensorboard]) {
    if (existsSync(join(run, name))) await copyFile(join(run, name), join(output, name));
  }
  const scores = join(run, runFiles.scores);
  if (existsSync(scores)) await cp(scores, join(output, runFiles.scores), { recursive: true });
}

export function notice(text: string): NoticeEvent {
  return { type: 'notice', text };
}
