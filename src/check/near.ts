import { difference, distance, type Look } from './look.ts';

/**
 * Bits that may differ, and the root mean square of the small copies, in levels. By measurement (docs/LOG.md): pictures saved as
 * JPEG of quality 60, halved or 5 % brighter stay within them; different X-rays and scenes do not.
 */
export const mostBits = 11;
export const mostLevels = 6.5;

/**
 * The 64 bits as four numbers of 16. Of 11 differing bits at most two fall into some one of them (pigeonhole), so a look is
 * found by looking up, in each band, its own number and all that differ from it in one or two bits (multi-index
 * hashing: Norouzi, Punjani and Fleet 2012).
 */
const bands = 4;
const bandSize = 2 ** 16;
const flips = flipsUpToTwo();

/** Entries read for one question, the nearest bands first; flat pictures, which all hash alike, would make it quadratic. */
const mostEntries = 2000;

/** Finds, among looks that were added, one that looks the same. */
export class NearIndex<T> {
  readonly #items: { item: T; look: Look }[] = [];
  /** By band and number: the last look that was added there, and from each look the one before it; -1 ends. */
  readonly #last = new Int32Array(bands * bandSize).fill(-1);
  readonly #before: number[][] = Array.from({ length: bands }, () => []);
  /** The question that each look was last compared for: it may share more than one band. */
  readonly #seen: number[] = [];
  #questions = 0;

  add(item: T, look: Look): void {
    const at = this.#items.push({ item, look }) - 1;
    this.#seen.push(0);
    bandsOf(look).forEach((number, band) => {
      this.#before[band].push(this.#last[band * bandSize + number]);
      this.#last[band * bandSize + number] = at;
    });
  }

  /** The most alike within the bounds. */
  find(look: Look): T | undefined {
    let best: T | undefined;
    let least = mostLevels;
    for (const at of this.#candidates(bandsOf(look))) {
      const { item, look: other } = this.#items[at];
      if (distance(look.bits, other.bits) > mostBits) continue;
      const levels = difference(look.copy, other.copy, least);
      if (levels > least) continue;
      least = levels;
      best = item;
    }
    return best;
  }

  #candidates(numbers: number[]): number[] {
    const found: number[] = [];
    let left = mostEntries;
    this.#questions++;
    for (const flip of flips) {
      for (let band = 0; band < bands; band++) {
        const before = this.#before[band];
        for (let at = this.#last[band * bandSize + (numbers[band] ^ flip)]; at >= 0; at = before[at]) {
          if (left-- === 0) return found;
          if (this.#seen[at] === this.#questions) continue;
          this.#seen[at] = this.#questions;
          found.push(at);
        }
      }
    }
    return found;
  }
}

function bandsOf({ bits: [high, low] }: Look): number[] {
  return [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff];
}

/** 0, every single bit and every two of the 16, the fewest first. */
function flipsUpToTwo(): number[] {
  const ones = Array.from({ length: 16 }, (_, i) => 1 << i);
  return [0, ...ones, ...ones.flatMap((a, i) => ones.slice(i + 1).map((b) => a | b))];
}
