import { realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';

/** Where a row's pictures may be. Rows come from others as often as not: a path in one is not its reader's word. */
export interface PictureFolders {
  /** What relative paths are relative to. */
  folder: string;
  /** The folders that hold every picture, as they are named and with links resolved; nothing: it may be anywhere. */
  within?: readonly string[];
}

/** The folder of pictures and the data file's own; any place where the config says so. */
export function pictureFolders(
  folder: string,
  dataFolder: string,
  outside: 'refuse' | 'allow',
): PictureFolders {
  if (outside === 'allow') return { folder };
  const named = [folder, dataFolder].map((name) => resolve(name));
  return { folder, within: [...new Set(named.flatMap((name) => [name, realPath(name)]))] };
}

/** By its words alone: a path that leaves the folders is not even looked for. */
export function isNamedWithin(path: string, { within }: PictureFolders): boolean {
  return within === undefined || within.some((folder) => isIn(path, folder));
}

/** Where it really is, links followed. */
export function isReallyWithin(path: string, { within }: PictureFolders): boolean {
  if (within === undefined) return true;
  const real = realPath(path);
  return within.some((folder) => isIn(real, folder));
}

function isIn(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith('../') && !way.startsWith('..\\') && !isAbsolute(way);
}

/** Of a path that is not there, itself. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
