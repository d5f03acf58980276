/** How much the entries of a cache folder may take, and which of them go for others. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { gigabytes } from './bytes.ts';
import { entryFiles, remove, removeIfEmpty } from './shelves.ts';

export interface RoomOptions {
  /** Of all shelves. */
  folder: string;
  /** Bytes of all shelves together. */
  most: number;
  /** Bytes of the disk that others are left. Default 1 GB. */
  leaveFree?: number;
}

/** After so many bytes of its own it counts again, because others write too. */
const recountAfter = 256e6;

/** Room is made for more than the next entry, because looking for it takes time. */
const spareShare = 0.05;

export class Room {
  readonly #options: Required<RoomOptions>;
  /** Bytes of all entries, as last counted with what was written since. */
  #total?: number;
  #sinceCount = 0;

  constructor({ leaveFree = 1e9, ...options }: RoomOptions) {
    this.#options = { leaveFree, ...options };
  }

  /** Makes room where it is short, the longest unused first. Why there is none comes back, where there is none. */
  make(bytes: number, isInUse: (file: string) => boolean): string | undefined {
    const { folder, most, leaveFree } = this.#options;
    const free = leaveFree > 0 ? freeBytes(folder) : undefined;
    if (free !== undefined && free - bytes < leaveFree)
      return `less than ${gigabytes(leaveFree)} of its disk would stay free for others`;
    if (this.#total === undefined || this.#sinceCount > recountAfter) this.#count();
    if (this.#total! + bytes > most) this.#removeUnused(bytes, isInUse);
    if (this.#total! + bytes <= most) return undefined;
    return `it may hold ${gigabytes(most)} (cache.disk), and what this run uses takes them`;
  }

  written(bytes: number): void {
    this.#sinceCount += bytes;
    if (this.#total !== undefined) this.#total += bytes;
  }

  #count(): void {
    this.#total = entryFiles(this.#options.folder).reduce((sum, { bytes }) => sum + bytes, 0);
    this.#sinceCount = 0;
  }

  #removeUnused(bytes: number, isInUse: (file: string) => boolean): void {
    const { folder, most } = this.#options;
    const files = entryFiles(folder);
    let total = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const { file, bytes: size, isTemporary } of files) {
      if (total <= most - Math.max(bytes, most * spareShare)) break;
      // What another run is writing is not to be taken from under it.
      if (isTemporary || isInUse(file) || !remove(file)) continue;
      total -= size;
      removeIfEmpty(dirname(file));
    }
    this.#total = total;
    this.#sinceCount = 0;
  }
}

/** Nothing where the system does not say. */
function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return dirname(folder) === folder ? undefined : freeBytes(dirname(folder)); // it may not be there yet
  }
}
