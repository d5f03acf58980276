import { expect, test } from 'vitest';
import { resizeBicubic } from '../../../src/data/image/resample.ts';
import type { RgbImage } from '../../../src/data/processor.ts';
import { expected, sha256 } from './expected.ts';

/** Every level, no pattern that a filter would leave alone; the reference builds it by the same formula. */
function ramp(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => ((i * i * 31 + i * 7) % 257) % 256);
  return { width, height, data };
}

test.each(expected.resample)('%dx%d becomes %dx%d as in Pillow', (width, height, toWidth, toHeight, sha) => {
  const resized = resizeBicubic(ramp(width, height), toWidth, toHeight);
  expect([resized.width, resized.height]).toEqual([toWidth, toHeight]);
  expect(sha256(resized.data)).toBe(sha);
});

test('the same size gives a copy, not the same array', () => {
  const image = ramp(5, 4);
  const copy = resizeBicubic(image, 5, 4);
  expect(copy.data).toEqual(image.data);
  expect(copy.data).not.toBe(image.data);
});

test.each([
  [0, 4],
  [4, -1],
  [2.5, 4],
  [Number.NaN, 4],
])('a size of %dx%d is refused', (width, height) => {
  expect(() => resizeBicubic(ramp(5, 4), width, height)).toThrow(/above 0, got/);
});
