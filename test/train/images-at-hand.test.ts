import { expect, it } from 'vitest';
import type { Grid } from '../../src/data/example.ts';
import { ImagesAtHand } from '../../src/train/images-at-hand.ts';
import type { KnownImages } from '../../src/train/load-unknown.ts';
import type { Sample, SampleImage } from '../../src/train/step.ts';
import { encodedRow } from './bigram.ts';

const grid: Grid = [1, 2, 2];
const grids = new Map(['a', 'b', 'c'].map((content) => [content, grid]));

/** Loads rows whose pictures hold what they are asked for, or something else; each load ends when it is told to. */
function loading(held: (content: string) => string = (content) => content) {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const load =
    (contents: string[], fail = false) =>
    async (known: KnownImages): Promise<Sample> => {
      asked.push(contents.map((content, i) => (known[i] ? `(${known[i].content})` : content)).join(' '));
      await new Promise<void>((resolve) => waiting.push(resolve));
      if (fail) throw new Error('damaged');
      const images = contents.map(
        (content, i): SampleImage =>
          known[i] ? { ...known[i] } : { grid, content: held(content), patches: Float32Array.of(1) },
      );
      return { encoded: encodedRow(0, [1], 'u'), images };
    };
  const go = async () => {
    for (let turns = 0; turns < 20; turns++) {
      for (const end of waiting.splice(0)) end();
      await Promise.resolve();
    }
  };
  return { asked, load, go };
}

it('looks at a picture once for all rows that wait for it, and gives them the same object', async () => {
  const { asked, load, go } = loading();
  const hand = new ImagesAtHand();
  const rows = [['a'], ['a', 'b'], ['b', 'a'], ['c']].map((row) => hand.load(row, grids, load(row)));
  await go();
  const [first, second, third] = await Promise.all(rows);
  expect(asked.sort()).toEqual(['(a) b', '(b) (a)', 'a', 'c'].sort());
  expect(second.images[0]).toBe(first.images[0]);
  expect(third.images[0]).toBe(second.images[1]);
  const later = hand.load(['a'], grids, load(['a']));
  await go();
  expect((await later).images[0]).toBe(first.images[0]);
});

it('gives embeddings that are known, without looking', async () => {
  const { asked, load, go } = loading();
  const embedding = Float32Array.of(5);
  const hand = new ImagesAtHand(({ content }) => (content === 'a' ? embedding : undefined));
  const row = hand.load(['a', 'b'], grids, load(['a', 'b']));
  await go();
  const { images } = await row;
  expect(asked).toEqual(['(a) b']);
  expect(images[0]).toEqual({ grid, content: 'a', embedding });
  expect(images[1].patches).toEqual(Float32Array.of(1));
});

it('lets each row look for itself where the first that waited failed', async () => {
  const { asked, load, go } = loading();
  const hand = new ImagesAtHand();
  const bad = hand.load(['a'], grids, load(['a'], true)).catch((error) => error.message);
  const good = hand.load(['a'], grids, load(['a']));
  await go();
  expect(await bad).toBe('damaged');
  await go();
  expect((await good).images[0]).toMatchObject({ content: 'a' });
  expect(asked).toEqual(['a', 'a']);
});

it('believes what a picture holds when it is looked at, not what it held before', async () => {
  const { load, go } = loading(() => 'changed');
  const hand = new ImagesAtHand();
  const row = hand.load(['a'], grids, load(['a']));
  await go();
  expect((await row).images[0].content).toBe('changed');
});
