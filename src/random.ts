/**
 * Randomness as pure functions of what it is for: a seed and the names and numbers that lead to the draw
 * (`stream(seed, 'shuffle', epoch)`). Nothing keeps a global counter, so resume and recompute see the same draws.
 */

/** Murmur3's 32-bit finaliser (Appleby 2011): every input bit reaches every output bit. */
export function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Folds numbers (as 32-bit integers) and strings (as UTF-16 units) into one unsigned 32-bit hash. */
export function hash(...parts: (number | string)[]): number {
  let h = 0x9e3779b9;
  const fold = (value: number) => {
    h = mix(h ^ value) + 0x9e3779b9;
  };
  for (const part of parts) {
    if (typeof part === 'number') fold(part);
    else for (let i = 0; i < part.length; i++) fold(part.charCodeAt(i) + 0x10000);
  }
  return mix(h);
}

/** A stream of draws, addressed by what it is for. */
export interface Stream {
  /** Uniform on [0, 1), a multiple of 2^-24, hence exact in f32. */
  uniform(): number;
  /** Uniform integer in [0, n). */
  integer(n: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
}

export function stream(...address: (number | string)[]): Stream {
  const key = hash(...address);
  let counter = 0;
  const next = () => mix(Math.imul(counter++, 0x9e3779b1) ^ key);
  const uniform = () => (next() >>> 8) * 2 ** -24;
  return {
    uniform,
    integer: (n) => Math.floor((next() / 2 ** 32) * n),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** Fisher-Yates, in place; returns the same array. */
export function shuffle<T>(items: T[], draws: Stream): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = draws.integer(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}
