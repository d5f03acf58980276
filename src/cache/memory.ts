import type { KeptValues } from './entry.ts';

/**
 * What gives way when the budget is spent. `first`: nothing, what came first stays, which is the best for passes over the
 * same things again and again, where the longest unused is just what comes next. `recent`: the longest unused goes.
 */
export type MemoryPolicy = 'first' | 'recent';

/** Matrices in memory, up to so many bytes. */
export class MemoryShelf {
  readonly most: number;
  readonly #policy: MemoryPolicy;
  readonly #kept = new Map<string, KeptValues>();
  #bytes = 0;

  constructor(most: number, policy: MemoryPolicy) {
    this.most = most;
    this.#policy = policy;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(name: string): boolean {
    return this.#kept.has(name);
  }

  get(name: string): KeptValues | undefined {
    const values = this.#kept.get(name);
    if (values !== undefined && this.#policy === 'recent') {
      this.#kept.delete(name); // a Map keeps the order in which names came in
      this.#kept.set(name, values);
    }
    return values;
  }

  /** Whether it could be kept. */
  put(name: string, values: KeptValues): boolean {
    if (this.#kept.has(name)) return true;
    const { byteLength } = values;
    if (byteLength > this.most) return false;
    if (this.#policy === 'recent') this.#makeRoom(byteLength);
    if (this.#bytes + byteLength > this.most) return false;
    this.#kept.set(name, values);
    this.#bytes += byteLength;
    return true;
  }

  #makeRoom(needed: number): void {
    for (const [name, { byteLength }] of this.#kept) {
      if (this.#bytes + needed <= this.most) return;
      this.#kept.delete(name);
      this.#bytes -= byteLength;
    }
  }
}
