import { expect, it } from 'vitest';
import { clipFactor, globalNorm, scaleGradients } from '../../src/optim/clip.ts';

const gradients = (...parts: number[][]) => new Map(parts.map((p, i) => [`${i}`, Float32Array.from(p)]));

it('takes one norm over all gradients', () => {
  expect(globalNorm(gradients([3], [0, 4]))).toBe(5);
  expect(globalNorm(new Map())).toBe(0);
});

it('does not overflow where f32 squares would', () => {
  expect(globalNorm(gradients([3e30, 4e30]))).toBeCloseTo(5e30, -25);
});

it('lets a NaN and an infinity be seen', () => {
  expect(globalNorm(gradients([1], [Number.NaN]))).toBeNaN();
  expect(globalNorm(gradients([1, -Infinity]))).toBe(Infinity);
});

it('shrinks to the largest norm and never enlarges', () => {
  expect(clipFactor(4, 1)).toBe(1 / 4.000001);
  expect(clipFactor(0.5, 1)).toBe(1);
  expect(clipFactor(0, 1)).toBe(1);
  // A norm within 1e-6 below the limit is shrunk a little too, as in torch.
  expect(clipFactor(1, 1)).toBeLessThan(1);
});

it('scales every gradient in place', () => {
  const scaled = gradients([2, -4], [8]);
  scaleGradients(scaled, 0.25);
  expect([...scaled.values()].map((v) => [...v])).toEqual([[0.5, -1], [2]]);
});
