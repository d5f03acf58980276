import { describe, expect, it } from 'vitest';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16, f64ToOddF32 } from '../src/dtype.ts';
import { stream } from '../src/random.ts';

/** The value of an increasing list that lies nearest, the even one of two that are as near. */
function nearest(sorted: Float64Array, x: number): number {
  let at = sorted.findIndex((value) => value >= x);
  if (at < 0) at = sorted.length - 1;
  const [below, above] = [at - 1, at].map((i) => Math.max(0, i));
  const [left, right] = [x - sorted[below], sorted[above] - x];
  if (left === right) return sorted[below % 2 === 0 ? below : above];
  return left < right ? sorted[below] : sorted[above];
}

// Positive finite numbers in order of their bits, so that an even index is an even last bit.
const f16Values = Float64Array.from(f16ToF32(Uint16Array.from({ length: 0x7c00 }, (_, i) => i)));
const bf16Values = Float64Array.from(bf16ToF32(Uint16Array.from({ length: 0x7f80 }, (_, i) => i)));

describe('f64 to f16 and bf16 by way of the odd f32', () => {
  it('is one rounding to nearest, ties to even, where two would be wrong', () => {
    // Just above the middle of two bf16 numbers: f32 rounds it onto the middle, and the tie then to the even side.
    const trap = 1 + 2 ** -8 + 2 ** -40;
    expect(bf16ToF32(f32ToBf16(new Float32Array([trap])))[0]).toBe(1);
    expect(bf16ToF32(f32ToBf16(f64ToOddF32(new Float64Array([trap]))))[0]).toBe(1 + 2 ** -7);
    const trapF16 = 1 + 2 ** -11 + 2 ** -40;
    expect(f16ToF32(f32ToF16(new Float32Array([trapF16])))[0]).toBe(1);
    expect(f16ToF32(f32ToF16(f64ToOddF32(new Float64Array([trapF16]))))[0]).toBe(1 + 2 ** -10);
  });

  it.each([
    ['f16', f16Values, (x: Float64Array) => f16ToF32(f32ToF16(f64ToOddF32(x)))],
    ['bf16', bf16Values, (x: Float64Array) => bf16ToF32(f32ToBf16(f64ToOddF32(x)))],
  ] as const)('is the nearest %s on and around every kind of middle', (_, values, round) => {
    const draws = stream(3, 'rounding');
    const points = Array.from({ length: 400 }, () => {
      const at = Math.floor(draws.uniform() * (values.length - 1));
      const middle = (values[at] + values[at + 1]) / 2;
      return [
        middle,
        middle * (1 + 2 ** -45),
        middle * (1 - 2 ** -45),
        middle * (1 + draws.uniform() * 2 ** -9),
      ];
    }).flat();
    const rounded = round(Float64Array.from(points));
    const negative = round(Float64Array.from(points, (x) => -x));
    points.forEach((x, i) => {
      expect(rounded[i], String(x)).toBe(nearest(values, x));
      expect(negative[i]).toBe(-rounded[i]);
    });
  });

  it('leaves f32 numbers, infinities and NaN as they are', () => {
    const values = [0, -0, 1.5, -3.25, 2 ** -149, Math.fround(0.1), Infinity, -Infinity, Number.NaN];
    expect([...f64ToOddF32(Float64Array.from(values))]).toEqual(values);
  });
});
