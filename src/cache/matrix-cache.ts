/** Matrices that are computed once: in memory up to a budget, on disk beyond it and across runs. */
import type { DiskShelf } from './disk.ts';
import type { MemoryShelf } from './memory.ts';
import { beyondHalf, fromKept, largestHalf, type Precision, toKept } from './precision.ts';

export interface MatrixCacheOptions {
  columns: number;
  precision: Precision;
  memory: MemoryShelf;
  disk?: DiskShelf;
  tell: (notice: string) => void;
}

/** How often a matrix was asked for, by where it came from. */
export interface CacheFacts {
  computed: number;
  fromMemory: number;
  fromDisk: number;
  /** Of those computed, in place of an entry on disk that could not be used. */
  replaced: number;
}

/** Whatever a matrix came from, its bytes are the same. */
export class MatrixCache {
  readonly #options: MatrixCacheOptions;
  readonly #facts = { computed: 0, fromMemory: 0, fromDisk: 0 };
  readonly #told = new Set<string>();

  constructor(options: MatrixCacheOptions) {
    this.#options = options;
  }

  get facts(): CacheFacts {
    return { ...this.#facts, replaced: this.#options.disk?.faults ?? 0 };
  }

  /** Of so many rows, as they are kept. */
  bytesOf(rows: number): number {
    const { columns, precision } = this.#options;
    return rows * columns * (precision === 'f32' ? 4 : 2);
  }

  /** Whether it seems to be there; only `find` can tell that an entry is whole. */
  has(name: string): boolean {
    return this.#options.memory.has(name) || this.#options.disk?.has(name) === true;
  }

  /** [rows, columns] */
  find(name: string, rows: number): Float32Array | undefined {
    const { memory, disk, columns, precision } = this.#options;
    const held = memory.get(name);
    if (held) {
      this.#facts.fromMemory++;
      return fromKept(held);
    }
    const read = disk?.get(name, { rows, columns, precision });
    if (!read) return undefined;
    this.#facts.fromDisk++;
    memory.put(name, read);
    return fromKept(read);
  }

  /** Keeps what was computed; the numbers to go on with come back. */
  keep(name: string, values: Float32Array<ArrayBuffer>): Float32Array {
    const { memory, disk, columns, precision } = this.#options;
    this.#facts.computed++;
    const kept = toKept(values, precision);
    if (precision === 'f16') this.#tellCut(values);
    const inMemory = memory.put(name, kept);
    const onDisk = disk?.put(name, { rows: values.length / columns, columns, precision }, kept) ?? false;
    const isOff = memory.most === 0 && !disk;
    if (!inMemory && !onDisk && !isOff)
      this.#tellOnce(
        'The cache is full: what it does not hold is computed again whenever it is needed. Raise cache.memory or ' +
          'cache.disk, or halve what an entry takes with cache.precision: f16.',
      );
    return fromKept(kept);
  }

  #tellCut(values: Float32Array): void {
    const beyond = beyondHalf(values);
    if (beyond > 0)
      this.#tellOnce(
        `A picture has values beyond what f16 holds (${beyond} of ${values.length}): they become ${largestHalf} or ` +
          `-${largestHalf}. cache.precision: f32 keeps them as they are.`,
      );
  }

  #tellOnce(notice: string): void {
    if (this.#told.has(notice)) return;
    this.#told.add(notice);
    this.#options.tell(notice);
  }
}
