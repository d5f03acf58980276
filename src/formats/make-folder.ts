import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** One by one, because Node's recursive `mkdir` never ends where the system denies a folder it cannot see. */
export function makeFolder(path: string, mode?: number): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path), mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was faster
  }
}
