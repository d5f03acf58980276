/**
 * The memory that ONNX Runtime's CPU arena comes to hold, counted without taking any: best fit with coalescing over
 * regions that grow in powers of two (`bfc_arena.cc` of 1.30, which is TensorFlow's BFC allocator). A region's bytes
 * count from the first time something stands on them; the system hands out no others, and the arena gives none back.
 */

/** Bytes next to each other, free or taken. */
export interface Chunk {
  region: number;
  start: number;
  size: number;
  isFree: boolean;
  before?: Chunk;
  after?: Chunk;
}

const alignment = 256;
const firstRegion = 2 ** 20;
const largestRegion = 2 ** 30;
/** A chunk with this much to spare is split even where less than half of it would be left. */
const mostSpare = 2 ** 27;
const largestBin = 20;

export class Arena {
  /** Bytes of each region from its start to the furthest that was ever taken. */
  readonly #touched: number[] = [];
  readonly #free = new Set<Chunk>();
  #nextRegion = firstRegion;

  /** Bytes that the process holds for it. */
  get touched(): number {
    return this.#touched.reduce((sum, bytes) => sum + bytes, 0);
  }

  take(bytes: number): Chunk {
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    const chunk = this.#bestFit(size) ?? this.#grow(size);
    this.#free.delete(chunk);
    if (chunk.size >= 2 * size || chunk.size - size >= mostSpare) this.#split(chunk, size);
    chunk.isFree = false;
    this.#touched[chunk.region] = Math.max(this.#touched[chunk.region], chunk.start + bytes);
    return chunk;
  }

  give(chunk: Chunk): void {
    chunk.isFree = true;
    this.#free.add(chunk);
    if (chunk.after?.isFree) this.#join(chunk, chunk.after);
    if (chunk.before?.isFree) this.#join(chunk.before, chunk);
  }

  /** The smallest bin that has a chunk large enough; in it the smallest chunk, the first of equals. */
  #bestFit(size: number): Chunk | undefined {
    let best: Chunk | undefined;
    for (const chunk of this.#free) if (chunk.size >= size && (!best || isBefore(chunk, best))) best = chunk;
    return best;
  }

  #grow(size: number): Chunk {
    const fits = size <= this.#nextRegion;
    while (this.#nextRegion < size) this.#nextRegion *= 2;
    const chunk = { region: this.#touched.length, start: 0, size: this.#nextRegion, isFree: true };
    if (fits) this.#nextRegion = Math.min(2 * this.#nextRegion, Math.max(largestRegion, this.#nextRegion));
    this.#touched.push(0);
    return chunk;
  }

  #split(chunk: Chunk, size: number): void {
    const rest: Chunk = {
      region: chunk.region,
      start: chunk.start + size,
      size: chunk.size - size,
      isFree: true,
      before: chunk,
      after: chunk.after,
    };
    if (chunk.after) chunk.after.before = rest;
    chunk.after = rest;
    chunk.size = size;
    this.#free.add(rest);
  }

  #join(left: Chunk, right: Chunk): void {
    this.#free.delete(right);
    left.size += right.size;
    left.after = right.after;
    if (right.after) right.after.before = left;
  }
}

const binOf = (size: number) => Math.min(largestBin, Math.floor(Math.log2(size / alignment)));

function isBefore(a: Chunk, b: Chunk): boolean {
  const order = [binOf(a.size) - binOf(b.size), a.size - b.size, a.region - b.region, a.start - b.start];
  return (order.find((difference) => difference !== 0) ?? 0) < 0;
}
