import { describe, expect, it } from 'vitest';
import { createLookAt, topShare } from '../../src/check/pictures.ts';
import type { Grid, ImageReference } from '../../src/data/example.ts';
import type { DecodedImage } from '../../src/data/image/decode.ts';
import { nameOf } from '../../src/data/image/source.ts';
import { LorikeetError } from '../../src/errors.ts';

/** Decodes `5.png` and `data:5` to a grey of that level, and counts how often and how many at once. */
function decoder() {
  const seen = { decoded: 0, atOnce: 0, most: 0 };
  const decode = async (reference: ImageReference): Promise<DecodedImage> => {
    seen.decoded++;
    seen.most = Math.max(seen.most, ++seen.atOnce);
    await new Promise((resolve) => setTimeout(resolve, 1));
    seen.atOnce--;
    const name = nameOf(reference);
    const level = Number(/\d+/.exec(name)![0]);
    if (level > 255) throw new LorikeetError('image', { file: name, what: 'damaged' });
    return { width: 4, height: 4, data: new Uint8Array(48).fill(level), isSixteenBitGrey: false };
  };
  const processor = {
    gridFor: (): Grid => [1, 4, 4],
    tokenCount: () => 4,
    identity: 'none',
    patches: () => {
      throw new Error('no patches are made here');
    },
  };
  return { seen, lookAt: createLookAt({ decode, processor }) };
}

describe('a look at pictures', () => {
  it('decodes each once, a few at a time, and tells pictures by their content', async () => {
    const { seen, lookAt } = decoder();
    const paths = Array.from({ length: 60 }, (_, n) => ({ path: `${n % 20}.png` }));
    const pictures = await Promise.all(paths.map(lookAt));
    expect(seen).toMatchObject({ decoded: 20, most: 4, atOnce: 0 });
    expect(new Set(pictures).size).toBe(20);
    expect(await lookAt({ path: 'copy-of-7.png' })).toBe(pictures[7]);
    const url = { dataUrl: 'data:image/png;base64,7' };
    expect(await lookAt(url)).toBe(await lookAt({ ...url }));
    expect(seen.decoded).toBe(22);
    expect(pictures[3]).toMatchObject({
      width: 4,
      height: 4,
      grid: [1, 4, 4],
      tokens: 4,
      isSaturated: false,
    });
  });

  it('refuses a damaged one each time it is asked for', async () => {
    const { seen, lookAt } = decoder();
    for (let n = 0; n < 2; n++) {
      await expect(lookAt({ path: '300.png' })).rejects.toMatchObject({ code: 'image', what: 'damaged' });
    }
    expect(seen.decoded).toBe(1);
    expect((await lookAt({ path: '255.png' })).isSaturated).toBe(true);
  });

  it('goes on after damaged ones', async () => {
    const { lookAt } = decoder();
    const all = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) => lookAt({ path: `${300 + n}.png` })),
    );
    expect(all.every(({ status }) => status === 'rejected')).toBe(true);
    expect((await lookAt({ path: '1.png' })).tokens).toBe(4);
  });
});

it('counts pixels whose three channels are all at the top', () => {
  const data = Uint8Array.of(255, 255, 255, 255, 255, 254, 255, 0, 255, 255, 255, 255);
  expect(topShare({ width: 4, height: 1, data })).toBe(0.5);
});
