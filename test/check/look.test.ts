import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { SIDE } from '../../demo/facts.ts';
import { drawScene } from '../../demo/scenes.ts';
import { difference, distance, lookOf } from '../../src/check/look.ts';
import { NearIndex } from '../../src/check/near.ts';
import { contentOf } from '../../src/data/image/content.ts';
import type { RgbImage } from '../../src/data/processor.ts';

const scene = (n: number): RgbImage => ({ width: SIDE, height: SIDE, data: drawScene(5, n).image });

async function resaved(image: RgbImage, change: (picture: Sharp) => Sharp): Promise<RgbImage> {
  const { width, height, data } = image;
  const saved = await change(sharp(data, { raw: { width, height, channels: 3 } })).toBuffer();
  const out = await sharp(saved).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: out.info.width, height: out.info.height, data: out.data };
}

const brighter = ({ data, ...size }: RgbImage, level: (value: number) => number): RgbImage => ({
  ...size,
  data: Uint8Array.from(data, (value) => Math.min(255, Math.round(level(value)))),
});

/** Whether the second would be found where the first stands. */
function isFound(image: RgbImage, other: RgbImage): boolean {
  const index = new NearIndex<string>();
  index.add('it', lookOf(image));
  return index.find(lookOf(other)) === 'it';
}

describe('a picture that was saved anew', () => {
  const changes: [string, (image: RgbImage) => Promise<RgbImage> | RgbImage][] = [
    ['as JPEG of quality 60', (image) => resaved(image, (picture) => picture.jpeg({ quality: 60 }))],
    ['at half its size', (image) => resaved(image, (picture) => picture.resize(SIDE / 2).png())],
    ['5 % brighter', (image) => brighter(image, (value) => value * 1.05)],
    ['13 levels brighter', (image) => brighter(image, (value) => value + 13)],
  ];

  it.each(changes)('%s is found', async (_, change) => {
    for (let n = 0; n < 40; n++) {
      const image = scene(n);
      expect(isFound(image, await change(image)), `scene ${n}`).toBe(true);
    }
  });

  it('has another content where any pixel or its size is another', () => {
    const image = scene(0);
    const other = { ...image, data: image.data.slice() };
    expect(contentOf(other)).toBe(contentOf(image));
    other.data[5] ^= 1;
    expect(contentOf(other)).not.toBe(contentOf(image));
    expect(contentOf({ ...image, width: SIDE * 2, height: SIDE / 2 })).not.toBe(contentOf(image));
  });
});

it('different scenes of the demo, all in the same round field, are not found', () => {
  const index = new NearIndex<number>();
  const looks = Array.from({ length: 200 }, (_, n) => lookOf(scene(n)));
  for (const [n, look] of looks.slice(0, 100).entries()) index.add(n, look);
  expect(looks.slice(100).map((look) => index.find(look))).toEqual(Array(100).fill(undefined));
});

describe('the hash', () => {
  /** Grey levels by a formula of the field, 32 x 32 pixels: each pixel is one field. */
  const drawn = (level: (x: number, y: number) => number): RgbImage => ({
    width: 32,
    height: 32,
    data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return Math.round(level(pixel % 32, Math.floor(pixel / 32)));
    }),
  });
  const wave = (k: number, n: number) => Math.cos((Math.PI * k * (2 * n + 1)) / 64);

  it('of a cosine has the one bit of its frequency', () => {
    // The DCT-II of its own basis function is zero everywhere else; bit 8 * vertical + horizontal, the first on the left.
    const rightOf = lookOf(drawn((x) => 128 + 60 * wave(3, x))).bits;
    expect(rightOf).toEqual([2 ** (31 - 3), 0]);
    const below = lookOf(drawn((_, y) => 128 + 60 * wave(5, y))).bits;
    expect(below).toEqual([0, 2 ** (31 - (5 * 8 - 32))]);
    const both = lookOf(drawn((x, y) => 128 + 60 * wave(2, x) * wave(1, y))).bits;
    expect(both).toEqual([2 ** (31 - (8 + 2)), 0]);
    expect(distance(rightOf, both)).toBe(2);
    expect(distance(rightOf, below)).toBe(2);
  });

  it('of a plain ground is empty, whatever its level', () => {
    for (const level of [0, 77, 255]) expect(lookOf(drawn(() => level)).bits).toEqual([0, 0]);
  });

  it('counts differing bits in both halves', () => {
    expect(distance([0xffffffff, 0], [0, 0])).toBe(32);
    expect(distance([0x80000001, 0x80000000], [0x80000000, 1])).toBe(3);
  });

  it('is there for a single pixel and for a strip', () => {
    const pixel = lookOf({ width: 1, height: 1, data: Uint8Array.of(9, 8, 7) });
    expect(pixel.copy.slice(0, 6)).toEqual(Uint8Array.of(9, 8, 7, 9, 8, 7));
    expect(lookOf({ width: 400, height: 2, data: new Uint8Array(2400).fill(50) }).copy[767]).toBe(50);
  });
});

describe('the difference of two small copies', () => {
  const flat = (level: number) => new Uint8Array(768).fill(level);

  it('leaves out up to 16 levels of brightness', () => {
    expect(difference(flat(100), flat(116))).toBe(0);
    expect(difference(flat(100), flat(120))).toBeCloseTo(4, 9);
  });

  it('is the root mean square of what is left', () => {
    // Half of the values 30 above: mean 15, so 15 on either side of it.
    const half = flat(100).map((level, i) => (i % 2 === 0 ? level + 30 : level));
    expect(difference(half, flat(100))).toBeCloseTo(15, 9);
    expect(difference(half, flat(100), 15.1)).toBeCloseTo(15, 9);
    expect(difference(half, flat(100), 14.9)).toBe(Number.POSITIVE_INFINITY);
  });
});
