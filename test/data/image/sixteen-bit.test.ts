import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/data/image/decode.ts';
import { grey16Png } from '../../support/grey16.ts';
import { expected, folder, sha256 } from './expected.ts';

const url = (bytes: Buffer) => ({ dataUrl: `data:image/png;base64,${bytes.toString('base64')}` });
const red = (data: Uint8Array) => [...data].filter((_, i) => i % 3 === 0);
const read = async (values: number[], sixteenBit: 'clip' | 'scale', withAlpha = false) => {
  const image = await decodeImage(url(grey16Png(values.length, values, withAlpha)), { sixteenBit });
  expect([...image.data]).toEqual(red(image.data).flatMap((value) => [value, value, value]));
  expect(image.isSixteenBitGrey).toBe(true);
  return red(image.data);
};

describe('16-bit grey', () => {
  // round(255 v / (2^b - 1)), b the fewest of 8, 10, 12, 14, 16 bits that hold the largest value.
  it.each([
    ['8 bits stay what they are', [0, 1, 128, 255], [0, 1, 128, 255]],
    ['10 bits from 256 on', [0, 2, 3, 256], [0, 0, 1, 64]], // 255 * 2 / 1023 = 0.499, * 3 = 0.748, * 256 = 63.81
    ['10 bits up to 1023', [512, 1023], [128, 255]], // 127.6
    ['12 bits', [1024, 2048, 4095], [64, 128, 255]], // 63.77, 127.5 + 0.03
    ['14 bits', [4096, 8000, 16383], [64, 125, 255]], // 63.75, 124.5 + 0.02
    ['16 bits', [0, 128, 129, 257, 16384, 65535], [0, 0, 1, 1, 64, 255]], // one level is 257
  ])('scaled: %s', async (_, values, levels) => {
    expect(await read(values, 'scale')).toEqual(levels);
  });

  it('is clipped at 255 unless it is asked for otherwise', async () => {
    expect(await read([0, 254, 255, 256, 65535], 'clip')).toEqual([0, 254, 255, 255, 255]);
    const { data } = await decodeImage(url(grey16Png(2, [300, 7])));
    expect(red(data)).toEqual([255, 7]);
  });

  it('beside alpha keeps its high byte, as Pillow does, or is scaled by its own values alone', async () => {
    expect(await read([511, 4095], 'clip', true)).toEqual([1, 15]);
    expect(await read([2048, 4095], 'scale', true)).toEqual([128, 255]);
  });
});

describe('every other picture', () => {
  const wide = ['grey16.png', 'grey16-dark.png', 'grey16-level-transparent.png', 'grey16-alpha.png'];

  it.each(Object.keys(expected.images))('%s', async (name) => {
    const path = fileURLToPath(new URL(name, folder));
    const clipped = await decodeImage({ path }, { sixteenBit: 'clip' });
    expect(sha256(clipped.data)).toBe(expected.images[name].rgb);
    expect(clipped.isSixteenBitGrey).toBe(wide.includes(name));
    const scaled = await decodeImage({ path }, { sixteenBit: 'scale' });
    if (!wide.includes(name)) expect(sha256(scaled.data)).toBe(expected.images[name].rgb);
  });

  it('is one of the fixtures', () => {
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(wide));
  });
});
