/** Keys and values of the tokens that were read, [C, width] in a buffer that grows: what a graph's cache is fed. */
export class KeyValueStore {
  readonly #width: number;
  #data: Float32Array;
  #length = 0;

  constructor(width: number, capacity = 256) {
    this.#width = width;
    this.#data = new Float32Array(capacity * width);
  }

  /** C, the rows that stand in it. */
  get length(): number {
    return this.#length;
  }

  /** The used part, not copied; the next `append` may leave it behind. */
  rows(): { data: Float32Array; dims: [rows: number, width: number] } {
    return {
      data: this.#data.subarray(0, this.#length * this.#width),
      dims: [this.#length, this.#width],
    };
  }

  /** Whole rows, one after the other; the first one's index comes back. */
  append(rows: Float32Array): number {
    const start = this.#length;
    const needed = start * this.#width + rows.length;
    if (needed > this.#data.length) {
      const grown = new Float32Array(Math.max(needed, 2 * this.#data.length));
      grown.set(this.#data.subarray(0, start * this.#width));
      this.#data = grown;
    }
    this.#data.set(rows, start * this.#width);
    this.#length += rows.length / this.#width;
    return start;
  }

  /** Forgets every row from `length` on. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }
}
