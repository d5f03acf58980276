/** What stands in a cache folder: a folder of entries for everything that they depend on in common. */
import { type Dirent, readdirSync, rmdirSync, rmSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';

/** Its entries, and what they are entries of, for people who look. */
export const entrySuffix = '.entry';
export const aboutFile = 'about.json';

const shelfName = /^[0-9a-f]{16}-[0-9a-f]{16}$/;
const temporaryName = /^\.[0-9a-f]+\.tmp$/;

/** A temporary file this old was left by a process that was killed. */
const abandonedAfter = 24 * 3600 * 1000;

export interface EntryFile {
  file: string;
  bytes: number;
  /** When it was written or last used, ms. */
  used: number;
  /** Still being written. */
  isTemporary: boolean;
}

/** Names of the entries on a shelf; none where it is not there or cannot be read. */
export function entryNames(shelf: string): Set<string> {
  const files = list(shelf).map(({ name }) => name);
  return new Set(
    files.filter((name) => name.endsWith(entrySuffix)).map((name) => name.slice(0, -entrySuffix.length)),
  );
}

/** Entries on shelves that begin alike: the same matrices, but made by something else. */
export function entriesBeside(folder: string, shelf: string): number {
  const [asked] = shelf.split('-');
  const others = shelves(folder).filter((name) => name !== shelf && name.startsWith(`${asked}-`));
  return others.reduce((sum, name) => sum + entryNames(join(folder, name)).size, 0);
}

/** All entries of all shelves, the longest unused first. Removes what killed processes left. */
export function entryFiles(folder: string): EntryFile[] {
  const found: EntryFile[] = [];
  for (const shelf of shelves(folder)) {
    for (const { name } of list(join(folder, shelf))) {
      const file = join(folder, shelf, name);
      const isTemporary = temporaryName.test(name);
      if (!isTemporary && !name.endsWith(entrySuffix)) continue;
      const status = statusOf(file);
      if (!status) continue; // another process was faster
      if (isTemporary && Date.now() - status.mtimeMs > abandonedAfter) remove(file);
      else found.push({ file, bytes: status.size, used: status.mtimeMs, isTemporary });
    }
  }
  return found.sort((a, b) => a.used - b.used);
}

/** Whether it is gone. */
export function remove(file: string): boolean {
  try {
    rmSync(file, { force: true });
    return true;
  } catch {
    return false; // open elsewhere, or not ours to remove
  }
}

/** Takes a shelf away where no entry is left on it. */
export function removeIfEmpty(shelf: string): void {
  if (list(shelf).some(({ name }) => name !== aboutFile)) return;
  remove(join(shelf, aboutFile));
  try {
    rmdirSync(shelf);
  } catch {} // somebody just put something there
}

function shelves(folder: string): string[] {
  return list(folder).flatMap((entry) =>
    entry.isDirectory() && shelfName.test(entry.name) ? [entry.name] : [],
  );
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function statusOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
