/** Files and folders that are either whole or not there: written under a temporary name, flushed, renamed. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** A name beside `target`, so that the rename stays on one file system. */
function temporaryName(target: string): string {
  return path.join(path.dirname(target), `.${path.basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
}

/** Calls `write` with a fresh file; on success the file takes the place of `file`, on failure nothing is left. */
export async function writeFileAtomically(
  file: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const target = path.resolve(file);
  const temporary = temporaryName(target);
  await mkdir(path.dirname(target), { recursive: true });
  try {
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(target));
}

/**
 * Calls `fill` with an empty folder; on success it takes the place of `dir` with all that was in it, on failure
 * `dir` is as it was. Between two renames `dir` is missing for an instant; its old self then stands beside it.
 */
export async function writeFolderAtomically(
  dir: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const target = path.resolve(dir);
  const temporary = temporaryName(target);
  const previous = temporaryName(target);
  await mkdir(temporary, { recursive: true });
  let moved = false;
  try {
    await fill(temporary);
    await syncFolder(temporary);
    moved = await renameIfThere(target, previous);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (moved) await rename(previous, target);
    throw error;
  }
  await syncFolder(path.dirname(target));
  await rm(previous, { recursive: true, force: true });
}

export async function listFolder(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Flushes the names in a folder. Some file systems cannot; a rename is then as safe as they make it. */
export async function syncFolder(dir: string): Promise<void> {
  try {
    const handle = await open(dir, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {}
}
