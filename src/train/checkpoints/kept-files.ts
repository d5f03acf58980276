/**
 * Files of the run folder that later evaluations replace, kept with a checkpoint: the best adapter and the scores of the last
 * evaluation must be, after a resume, those of the step that is gone on from.
 */
import {
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { copyFile, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../formats/atomic.ts';
import { sha256Of } from '../../formats/manifest.ts';
import { runFiles } from '../run-files.ts';

const lastScores = join(runFiles.scores, 'last.jsonl');

/** Small files are copied: an editor may write into one, and would change every name of a link. */
const linkFrom = 2 ** 20;

/** `bestFiles`: names in `best/` that the run wrote. */
export async function keepFiles(
  run: string,
  checkpoint: string,
  bestFiles: readonly string[],
): Promise<void> {
  for (const name of [...bestFiles.map((name) => join(runFiles.best, name)), lastScores]) {
    if (!existsSync(join(run, name))) continue;
    mkdirSync(dirname(join(checkpoint, name)), { recursive: true });
    await same(join(run, name), join(checkpoint, name));
  }
  for (const folder of [runFiles.best, runFiles.scores]) {
    if (existsSync(join(checkpoint, folder))) await syncFolder(join(checkpoint, folder));
  }
}

/** Puts them back, file by file, each whole at every moment; takes away what the run wrote there later. */
export async function restoreFiles(
  checkpoint: string,
  run: string,
  bestFiles: readonly string[],
): Promise<void> {
  const kept = join(checkpoint, runFiles.best);
  const names = existsSync(kept) ? readdirSync(kept) : [];
  for (const name of names) await restore(join(kept, name), join(run, runFiles.best, name));
  for (const name of bestFiles) {
    if (names.includes(name)) continue;
    for (const end of ['', '.partial']) rmSync(join(run, runFiles.best, `${name}${end}`), { force: true });
  }
  const best = join(run, runFiles.best);
  if (existsSync(best) && readdirSync(best).length === 0) rmdirSync(best);
  const scores = join(checkpoint, lastScores);
  if (existsSync(scores)) await restore(scores, join(run, lastScores));
  else for (const end of ['', '.partial']) rmSync(join(run, `${lastScores}${end}`), { force: true });
}

async function restore(from: string, to: string): Promise<void> {
  const partial = `${to}.partial`;
  rmSync(partial, { force: true }); // of a restoration that was killed
  if (existsSync(to) && (await sha256Of(to)) === (await sha256Of(from))) return;
  mkdirSync(dirname(to), { recursive: true });
  await same(from, partial);
  await rename(partial, to);
  await syncFolder(dirname(to));
}

/** One more name for a large file where the file system can; files of ours are replaced, never written into. */
async function same(from: string, to: string): Promise<void> {
  if (statSync(from).size < linkFrom || !linked(from, to)) {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
  const handle = await open(to, 'r+');
  await handle.sync().finally(() => handle.close());
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    return false;
  }
}
