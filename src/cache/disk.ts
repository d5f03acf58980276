/** Matrices on disk, for the next run too. Nothing that goes wrong here stops anyone: it is told once. */
import { join } from 'node:path';
import {
  decodeEntry,
  type EntryFault,
  type EntryShape,
  encodeEntry,
  entryBytes,
  type KeptValues,
} from './entry.ts';
import { Room, type RoomOptions } from './room.ts';
import { readBounded, replaceWhole, touch, type WriteParts } from './shelf-files.ts';
import { aboutFile, entryNames, entrySuffix } from './shelves.ts';

export interface DiskOptions extends RoomOptions {
  /** 16 hexadecimal digits for what is kept, a dash, 16 for what made it. */
  shelf: string;
  /** All that the shelf's entries depend on; a name on it says the rest. */
  owner: string;
  /** What the shelf is, for people who look. */
  about: object;
  tell: (notice: string) => void;
  write?: WriteParts;
}

const refusals: Record<string, string> = {
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'no space is left for this user',
  EROFS: 'its disk is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOTDIR: 'a file stands where a folder should',
};

export class DiskShelf {
  readonly #options: DiskOptions;
  readonly #path: string;
  readonly #room: Room;
  readonly #names: Set<string>;
  /** Files that this process wrote or read: it does not remove them to make room. */
  readonly #own = new Set<string>();
  #isClosed = false;
  #faults = 0;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#path = join(options.folder, options.shelf);
    this.#room = new Room(options);
    this.#names = entryNames(this.#path);
  }

  /** Entries that could not be used. */
  get faults(): number {
    return this.#faults;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Nothing where it is not there, or is not whole. */
  get(name: string, shape: EntryShape): KeptValues | undefined {
    if (!this.#names.has(name)) return undefined;
    const file = this.#fileOf(name);
    const values = this.#read(file, name, shape);
    if (values === undefined) this.#names.delete(name);
    else if (!this.#own.has(file)) {
      this.#own.add(file);
      touch(file);
    }
    return values;
  }

  /** Whether it stands there now. */
  put(name: string, shape: EntryShape, values: KeptValues): boolean {
    if (this.#names.has(name)) return true;
    if (this.#isClosed) return false;
    const refused = this.#write(name, shape, values);
    if (refused !== undefined) this.#close(refused);
    return refused === undefined;
  }

  /** Why it could not, where it could not. */
  #write(name: string, shape: EntryShape, values: KeptValues): string | undefined {
    const bytes = entryBytes(shape);
    const file = this.#fileOf(name);
    const short = this.#room.make(bytes, (other) => this.#own.has(other));
    if (short !== undefined) return short;
    const { about, write } = this.#options;
    try {
      replaceWhole(file, encodeEntry(this.#ownerOf(name), shape, values), write);
      if (this.#own.size === 0)
        replaceWhole(
          join(this.#path, aboutFile),
          [Buffer.from(`${JSON.stringify(about, null, 2)}\n`)],
          write,
        );
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      return refusals[code] ?? message;
    }
    this.#names.add(name);
    this.#own.add(file);
    this.#room.written(bytes);
    return undefined;
  }

  #fileOf(name: string): string {
    return join(this.#path, `${name}${entrySuffix}`);
  }

  #ownerOf(name: string): string {
    return `${this.#options.owner}\n${name}`;
  }

  #read(file: string, name: string, shape: EntryShape): KeptValues | undefined {
    try {
      const found = decodeEntry(readBounded(file, entryBytes(shape)), this.#ownerOf(name), shape);
      if (typeof found !== 'string') return found;
      this.#fault(file, found);
    } catch (error) {
      // Gone is no fault: another run made room.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#fault(file, 'damaged');
    }
    return undefined;
  }

  #fault(file: string, fault: EntryFault): void {
    this.#faults++;
    if (this.#faults > 1) return;
    this.#options.tell(
      `An entry of the cache is ${fault}, ${file}: it is computed again and replaced. Others like it are counted alone.`,
    );
  }

  /** No more is written; what is there is still read. */
  #close(reason: string): void {
    this.#isClosed = true;
    const { folder, tell } = this.#options;
    tell(
      `Nothing more is written to the cache ${folder}: ${reason}. What is not there is kept in memory as far as ` +
        'cache.memory goes, and computed again beyond that.',
    );
  }
}
