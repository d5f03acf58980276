import { existsSync, mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder, writeFolderAtomically } from '../../formats/atomic.ts';
import { writeManifest } from '../../formats/manifest.ts';
import type { AdamWState } from '../../optim/adamw.ts';
import type { Trainable } from '../step.ts';
import { checkpointPath, removeOld } from './checkpoint-files.ts';
import { keepFiles } from './kept-files.ts';
import { type CheckpointState, stateName } from './state-file.ts';
import { writeTensors } from './tensors.ts';

export interface CheckpointContents {
  state: CheckpointState;
  trainables: readonly Trainable[];
  optimizer: AdamWState;
  /** Names in `best/` that the run wrote. */
  bestFiles: readonly string[];
}

/**
 * Writes a checkpoint of the run, whole or not at all: into a folder of another name, flushed, renamed. Older ones beyond
 * `keep` are removed only then. Gives its path. One that stands for the same step is left as it is.
 */
export async function writeCheckpoint(
  run: string,
  { state, trainables, optimizer, bestFiles }: CheckpointContents,
  keep: number,
): Promise<string> {
  const path = checkpointPath(run, state.training.step);
  if (existsSync(path)) return path;
  const isFirst = !existsSync(dirname(path));
  mkdirSync(dirname(path), { recursive: true });
  if (isFirst) await syncFolder(run);
  await writeFolderAtomically(path, async (folder) => {
    await writeTensors(folder, trainables, optimizer);
    await keepFiles(run, folder, bestFiles);
    await writeFile(join(folder, stateName), `${JSON.stringify(state)}\n`, { flush: true });
    await writeManifest(folder);
  });
  removeOld(run, keep);
  return path;
}
