import { f16ToF32, f32ToF16 } from '../dtype.ts';
import type { KeptValues } from './entry.ts';

/** How numbers are kept. What is used is always what is kept, so that nothing depends on where a matrix came from. */
export type Precision = 'f32' | 'f16';

/** The largest number of f16. */
export const largestHalf = 65504;

/** The form in which values are kept. In f16 what is larger than its largest number becomes that. */
export function toKept(values: Float32Array<ArrayBuffer>, precision: Precision): KeptValues {
  if (precision === 'f32') return values;
  const bits = f32ToF16(values);
  for (let i = 0; i < bits.length; i++) if ((bits[i] & 0x7fff) === 0x7c00) bits[i]--; // infinity to the largest number
  return bits;
}

/** The numbers that are used. */
export function fromKept(kept: KeptValues): Float32Array<ArrayBuffer> {
  return kept instanceof Float32Array ? kept : f16ToF32(kept);
}

/** How many values f16 cannot hold. */
export function beyondHalf(values: Float32Array): number {
  let beyond = 0;
  for (const value of values) if (Math.abs(value) >= 65520) beyond++;
  return beyond;
}
