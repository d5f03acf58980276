/** Where a run's checkpoints stand, and which of them can be gone on from. */
import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readBytes } from '../../data/lines.ts';
import { damageOf } from '../../formats/manifest.ts';
import { removeHalfWritten } from '../half-written.ts';
import { runFiles } from '../run-files.ts';
import { type CheckpointState, readState } from './state-file.ts';

/** A checkpoint that is whole. */
export interface WholeCheckpoint {
  path: string;
  /** The run folder that it stands in. */
  run: string;
  state: CheckpointState;
}

/** One that is not, and why. */
export interface DamagedCheckpoint {
  path: string;
  problem: string;
}

export const checkpointName = (step: number): string => `step-${step}`;

export function checkpointPath(run: string, step: number): string {
  return join(run, runFiles.checkpoints, checkpointName(step));
}

/** Paths of a run's checkpoints, whole or not, the newest first. */
export function listCheckpoints(run: string): { path: string; step: number }[] {
  const folder = join(run, runFiles.checkpoints);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) =>
      /^step-\d{1,15}$/.test(name) ? [{ path: join(folder, name), step: Number(name.slice(5)) }] : [],
    )
    .sort((a, b) => b.step - a.step);
}

/** Every file as its manifest says, a state that can be read, and a metrics file that holds what it speaks of. */
export async function openCheckpoint(path: string): Promise<WholeCheckpoint | DamagedCheckpoint> {
  const damage = await damageOf(path);
  if (damage) return { path, problem: damage };
  const run = dirname(dirname(path));
  try {
    const state = await readState(path);
    if (basename(path) !== checkpointName(state.training.step)) {
      return { path, problem: `its state is of step ${state.training.step}` };
    }
    const problem = metricsProblem(join(run, runFiles.metrics), state.written.metrics);
    return problem === undefined ? { path, run, state } : { path, problem };
  } catch (error) {
    return { path, problem: (error as Error).message };
  }
}

/** Its first bytes are lines as the checkpoint knew them, or nearly: nobody is kept from writing into the file. */
function metricsProblem(file: string, bytes: number): string | undefined {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size < bytes)
    return `${basename(file)} expected at least the ${bytes} bytes that it had then, got ${size}`;
  if (bytes === 0 || readBytes(file, bytes - 1, 1)[0] === 0x0a) return undefined;
  return `${basename(file)} expected a line to end at byte ${bytes}, as it did then`;
}

/** The newest that is whole, and those after it that are not. */
export async function newestCheckpoint(
  run: string,
): Promise<{ whole?: WholeCheckpoint; damaged: DamagedCheckpoint[] }> {
  const damaged: DamagedCheckpoint[] = [];
  for (const { path } of listCheckpoints(run)) {
    const found = await openCheckpoint(path);
    if (!('problem' in found)) return { whole: found, damaged };
    damaged.push(found);
  }
  return { damaged };
}

/** Removes those after `step`: what they stand for is done again. */
export function removeAfter(run: string, step: number): void {
  for (const found of listCheckpoints(run)) if (found.step > step) remove(found.path);
}

/** Removes all but the newest `keep`. */
export function removeOld(run: string, keep: number): void {
  for (const { path } of listCheckpoints(run).slice(keep)) remove(path);
}

/** Removes all, and what a killed run left half-written. */
export function removeCheckpoints(run: string): void {
  const folder = join(run, runFiles.checkpoints);
  if (!existsSync(folder)) return;
  removeOld(run, 0);
  removeHalfWritten(folder, /^step-\d+$/);
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** The manifest goes first, so that what is left of a removal that was cut short is no checkpoint. */
function remove(path: string): void {
  // Through a link it would be somebody else's.
  if (lstatSync(path).isDirectory()) rmSync(join(path, 'manifest.json'), { force: true });
  rmSync(path, { recursive: true, force: true });
}
