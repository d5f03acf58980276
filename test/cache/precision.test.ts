import { expect, it } from 'vitest';
import { beyondHalf, fromKept, toKept } from '../../src/cache/precision.ts';

it('uses in f32 the very values', () => {
  const values = Float32Array.of(1 / 3, -2e20);
  expect(fromKept(toKept(values, 'f32'))).toBe(values);
});

it('uses in f16 what f16 holds, rounded once', () => {
  // By hand: 1/3 lies between 1365 and 1366 of 4096ths; 2049 between two of f16 and goes to the even one; 2^-24 is its least.
  const values = Float32Array.of(1 / 3, 2049, 2 ** -24, -1);
  const once = fromKept(toKept(values, 'f16'));
  expect([...once]).toEqual([1365 / 4096, 2048, 2 ** -24, -1]);
  expect(fromKept(toKept(once, 'f16'))).toEqual(once);
});

it('takes f16 to its ends and not to infinity', () => {
  const values = Float32Array.of(65519, 65520, 1e9, -1e9);
  expect([...fromKept(toKept(values, 'f16'))]).toEqual([65504, 65504, 65504, -65504]);
  expect(beyondHalf(values)).toBe(3);
});
