import { hash, mix } from '../../src/random.ts';

/**
 * [size] offset + amplitude * u with u uniform on [-1, 1), from the stream at `address`; computed in f64 and
 * rounded once. The twin of `around` in reference/parity/seeded.py.
 */
export function around(
  address: (number | string)[],
  size: number,
  amplitude: number,
  offset = 0,
): Float32Array<ArrayBuffer> {
  const key = hash(...address);
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const uniform = (mix(Math.imul(i, 0x9e3779b1) ^ key) >>> 8) * 2 ** -24;
    out[i] = (uniform * 2 - 1) * amplitude + offset;
  }
  return out;
}
