/**
 * The dropout mask as a pure function: element (t, d) is dropped iff h(key of row t, salt, d) falls below a
 * threshold, where h mixes by xor and 32-bit multiplication only, so that every target can compute it.
 */
import { hash } from '../random.ts';

/** Odd constants with well spread bits. */
export const dropoutFactors = { row: 0x9e3779b1, element: 0x85ebca77 } as const;

/** Per-column constants [columns] of one module (salt), for each of the two rounds. */
export function dropoutColumns(salt: number, columns: number, round: 0 | 1): Int32Array {
  return Int32Array.from({ length: columns }, (_, column) => hash('dropout', salt, round, column) | 0);
}

/** The signed 32-bit value below which an element is dropped. */
export function dropoutThreshold(rate: number): number {
  return Math.round(rate * 2 ** 32) - 2 ** 31;
}

/** [rows * columns] 0 where dropped, 1 / (1 - rate) where kept. */
export function dropoutMask(
  keys: Int32Array,
  columns: number,
  { rate, salt }: { rate: number; salt: number },
) {
  const [first, second] = [dropoutColumns(salt, columns, 0), dropoutColumns(salt, columns, 1)];
  const mask = new Float64Array(keys.length * columns);
  keys.forEach((key, t) => {
    const odd = Math.imul(key, dropoutFactors.row) | 1;
    for (let d = 0; d < columns; d++) {
      const once = Math.imul(key ^ first[d], dropoutFactors.element);
      if (Math.imul(once ^ second[d], odd) >= dropoutThreshold(rate)) mask[t * columns + d] = 1 / (1 - rate);
    }
  });
  return mask;
}
