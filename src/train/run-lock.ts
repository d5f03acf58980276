/** One run folder, one writer. */
import { rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { type Claimant, claim, drop, holderOf } from '../formats/lock.ts';
import { makeFolder, written } from './run-folder.ts';

/** Refuses a run folder that a living process writes in. */
export function refuseHeld(folder: string, own?: string): void {
  const holder = holderOf(folder, own);
  if (holder) throw held(folder, holder);
}

/** Creates the folder where it is not there, and claims it. @throws LorikeetError 'run' where another process holds it. */
export async function lockOutput(folder: string, name: string): Promise<void> {
  const holder = await written(folder, () => {
    makeFolder(folder);
    return claim(folder, name);
  });
  if (holder) throw held(folder, holder);
}

/** Takes the claim away, and the folder too where nothing came to stand in it. */
export function unlockOutput(folder: string, name: string): void {
  try {
    drop(folder, name);
    rmdirSync(folder);
  } catch {} // it holds a run, or cannot be written: a claim of a process that ends holds nobody up
}

function held(folder: string, { pid, host, since }: Claimant): LorikeetError {
  return new LorikeetError('run', {
    file: folder,
    what: `output expected a folder that nobody trains in, but process ${pid} on ${host} has held it since ${since}`,
    fix: `Wait for it or stop it, or name another output. Where that machine is gone for good, remove ${join(folder, 'run.lock.*')}.`,
  });
}
