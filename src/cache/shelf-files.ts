/** Entry files read and written whole: a reader sees all of one or none. */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, renameSync, utimesSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '../formats/make-folder.ts';
import { remove } from './shelves.ts';

/** Writes a new file. */
export type WriteParts = (file: string, parts: readonly Uint8Array[]) => void;

/** A file that is longer than `most` is read no further than that shows. */
export function readBounded(file: string, most: number): Buffer {
  const handle = openSync(file, 'r');
  try {
    const bytes = Buffer.allocUnsafe(Math.min(fstatSync(handle).size, most + 1));
    let done = 0;
    while (done < bytes.length) {
      const read = readSync(handle, bytes, done, bytes.length - done, done);
      if (read === 0) break;
      done += read;
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(handle);
  }
}

/**
 * Writes beside it and renames. Nothing is flushed, which would take longer than the writing: what a power cut leaves
 * is told by its checksum.
 */
export function replaceWhole(
  file: string,
  parts: readonly Uint8Array[],
  write: WriteParts = writeParts,
): void {
  const folder = dirname(file);
  const temporary = join(folder, `.${randomBytes(12).toString('hex')}.tmp`);
  const attempt = () => {
    makeFolder(folder, 0o700); // pictures can be guessed from what is kept of them
    write(temporary, parts);
    renameSync(temporary, file);
  };
  try {
    try {
      attempt();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      attempt(); // another process took the empty folder away
    }
  } catch (error) {
    remove(temporary);
    throw error;
  }
}

/** Marks it as used now; where that is not allowed, it is as old as its writing. */
export function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {}
}

function writeParts(file: string, parts: readonly Uint8Array[]): void {
  const handle = openSync(file, 'wx', 0o600);
  try {
    for (const part of parts) {
      let done = 0;
      while (done < part.length) done += writeSync(handle, part, done);
    }
  } finally {
    closeSync(handle);
  }
}
