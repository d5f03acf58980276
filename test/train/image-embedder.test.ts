/** Pictures through the tower of a tiny model: what runs beside a picture changes nothing of it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Grid } from '../../src/data/example.ts';
import { compileStep } from '../../src/train/compile.ts';
import { type ImageEmbedder, placesFor } from '../../src/train/image-embedder.ts';
import type { SampleImage } from '../../src/train/step.ts';
import { around } from '../support/seeded.ts';
import { tinyRun } from './tiny-run.ts';

const nothing = { precision: 'f32', memory: 'off', disk: 'off' } as const;

async function openEmbedder(cache: Parameters<typeof compileStep>[0]['cache'] = nothing) {
  const modelDir = join(tinyRun(), 'model');
  const { vision } = await compileStep({ modelDir, recompute: false, threads: 1, seed: 1, cache });
  return vision!.embedder;
}

const image = (seed: number, grid: Grid): SampleImage => ({
  grid,
  content: Buffer.from(`picture ${seed} ${grid}`).toString('base64'),
  patches: around(['picture', seed], grid[1] * grid[2] * 1176, 2),
});

const bytesOf = async (embedder: ImageEmbedder, images: SampleImage[], ahead: SampleImage[] = []) =>
  (await embedder.embed(images, ahead)).map((values) => Buffer.from(values.slice().buffer).toString('hex'));

describe('places', () => {
  it('are always as many for a grid, and one for what fills a run by itself', () => {
    expect([placesFor([1, 4, 4]), placesFor([1, 8, 8]), placesFor([1, 6, 10])]).toEqual([16, 4, 4]);
    expect([placesFor([1, 10, 10]), placesFor([1, 16, 16]), placesFor([1, 36, 36])]).toEqual([1, 1, 1]);
  });
});

describe('an embedder', () => {
  it('gives a picture the same bytes alone, beside others and at any place of a run', async () => {
    const embedder = await openEmbedder();
    const grids: Grid[] = [
      [1, 4, 4],
      [1, 8, 8],
      [1, 6, 10],
      [1, 12, 10],
    ];
    for (const grid of grids) {
      const all = () => Array.from({ length: 18 }, (_, seed) => image(seed, grid));
      const alone: string[] = [];
      for (const one of all()) alone.push(...(await bytesOf(embedder, [one])));
      expect(new Set(alone).size).toBe(18);
      expect(await bytesOf(embedder, all())).toEqual(alone);
      expect(await bytesOf(embedder, all().reverse())).toEqual([...alone].reverse());
      expect(await bytesOf(embedder, [all()[5]], all())).toEqual([alone[5]]);
    }
    await embedder.close();
  });

  it('computes the same picture once in a call, and lets its patches go', async () => {
    const embedder = await openEmbedder();
    const images = [image(1, [1, 4, 4]), image(2, [1, 4, 4]), image(1, [1, 4, 4])];
    const [a, b, c] = await bytesOf(embedder, images);
    expect(a).toBe(c);
    expect(a).not.toBe(b);
    expect(embedder.facts.computed).toBe(2);
    expect(images.map(({ patches }) => patches)).toEqual([undefined, undefined, undefined]);
    await embedder.close();
  });

  it('fills the places of a run with pictures of the same grid that come soon, and leaves the others', async () => {
    const embedder = await openEmbedder({ ...nothing, memory: '1MB' });
    const ahead = [
      ...Array.from({ length: 5 }, (_, seed) => image(10 + seed, [1, 8, 8])),
      image(20, [1, 6, 10]),
      image(21, [1, 16, 16]),
    ];
    await embedder.embed([image(1, [1, 8, 8])], ahead);
    expect(ahead.map(({ embedding }) => embedding !== undefined)).toEqual([
      ...[true, true, true, false, false],
      false,
      false,
    ]);
    expect(embedder.facts).toEqual({ computed: 4, fromMemory: 0, fromDisk: 0, replaced: 0 });
    expect(embedder.patches).toBe(4 * 64);
    await embedder.embed([image(11, [1, 8, 8])]);
    expect(embedder.facts).toMatchObject({ computed: 4, fromMemory: 1 });
    await embedder.close();
  });

  it('takes two grids of as many patches for two pictures', async () => {
    const embedder = await openEmbedder({ ...nothing, memory: '1MB' });
    const [wide, high] = [image(1, [1, 4, 8]), image(1, [1, 8, 4])];
    high.content = wide.content;
    const [a, b] = await bytesOf(embedder, [wide, high]);
    expect(a).not.toBe(b);
    expect(embedder.facts.computed).toBe(2);
    await embedder.close();
  });

  it('uses in f16 the rounded numbers from the first time on', async () => {
    const [exact, rounded] = await Promise.all(
      (['f32', 'f16'] as const).map((precision) => openEmbedder({ ...nothing, precision, memory: '1MB' })),
    );
    const [[full], [first], [again]] = [
      await exact.embed([image(1, [1, 4, 4])]),
      await rounded.embed([image(1, [1, 4, 4])]),
      await rounded.embed([image(1, [1, 4, 4])]),
    ];
    expect(rounded.facts).toMatchObject({ computed: 1, fromMemory: 1 });
    expect(again).toEqual(first);
    expect(first).not.toEqual(full);
    first.forEach((value, i) => {
      // Half a step of f16: 2^-11 of the value, or half of its least number.
      expect(Math.abs(value - full[i])).toBeLessThanOrEqual(Math.max(Math.abs(full[i]) * 2 ** -11, 2 ** -25));
    });
    await Promise.all([exact.close(), rounded.close()]);
  });
});
