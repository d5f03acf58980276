/** One text in a store that may hold several: which rows are its own, and where its next token stands. */
export class Sequence {
  readonly #ranges: [start: number, end: number][] = [];
  /** The M-RoPE index of the next token: a text goes on behind its largest. */
  next = 0;

  /** Rows [start, end) in the order of the text, neighbours joined. */
  get ranges(): readonly (readonly [start: number, end: number])[] {
    return this.#ranges;
  }

  /** Takes the next `count` tokens, which stand in the store from `start`. */
  add(start: number, count: number): void {
    const last = this.#ranges.at(-1);
    if (last?.[1] === start) last[1] += count;
    else if (count > 0) this.#ranges.push([start, start + count]);
  }

  /** Another text with the same beginning. */
  fork(): Sequence {
    const branch = new Sequence();
    for (const [start, end] of this.#ranges) branch.add(start, end - start);
    branch.next = this.next;
    return branch;
  }
}
