/** Rows about the same pictures, as fast-check draws them for the model of a parity case. */
import fc from 'fast-check';
import { type Encoded, type Grid, tokenKinds } from '../../src/data/example.ts';
import { PrefixFinder } from '../../src/data/shared-prefix.ts';
import { hash } from '../../src/random.ts';
import type { Sample } from '../../src/train/step.ts';
import type { ForwardCase } from './parity.ts';
import { around } from './seeded.ts';

export interface DrawnRow {
  question: number;
  answer: number;
}

export interface DrawnPack {
  grids: Grid[];
  system: number;
  rows: DrawnRow[];
}

const grid = fc.constantFrom<Grid>([1, 2, 2], [1, 2, 4], [1, 4, 4], [1, 4, 6]);
const row = fc.record({ question: fc.integer({ min: 0, max: 9 }), answer: fc.integer({ min: 1, max: 7 }) });

/** k rows of unequal lengths about one or two pictures, or about none. */
export const packOf = (k: number | { min: number; max: number }, pictures = { min: 1, max: 2 }) => {
  const [minLength, maxLength] = typeof k === 'number' ? [k, k] : [k.min, k.max];
  return fc.record({
    grids: fc.array(grid, { minLength: pictures.min, maxLength: pictures.max }),
    system: fc.integer({ min: 1, max: 6 }),
    rows: fc.array(row, { minLength, maxLength }),
  });
};

const kind = (name: (typeof tokenKinds)[number]) => tokenKinds.indexOf(name);
const patchLength = 3 * 2 * 14 * 14;

/** The rows of packs one after the other, each with what it shares by `PrefixFinder`. */
export function samplesOfPacks(packs: readonly DrawnPack[], { config }: ForwardCase, seed: number): Sample[] {
  const finder = new PrefixFinder();
  const samples = packs.flatMap(({ grids, system, rows }, p) => {
    const images = grids.map((grid, i) => ({
      grid,
      content: Buffer.from(`picture ${seed} ${p} ${i}`).toString('base64'),
      patches: around([seed, 'patches', p, i], grid[0] * grid[1] * grid[2] * patchLength, 2),
    }));
    return rows.map((drawn, r): Sample => {
      const encoded = encodedRow({ grids, system, ...drawn }, config, [seed, p, r]);
      finder.add(
        encoded,
        images.map(({ content }) => content),
      );
      return { encoded: { ...encoded, row: p * 100 + r }, images: images.map((image) => ({ ...image })) };
    });
  });
  const prefixes = finder.prefixes();
  return samples.map((sample, i) => ({ ...sample, prefix: prefixes[i] }));
}

function encodedRow(
  { grids, system, question, answer }: Omit<DrawnPack, 'rows'> & DrawnRow,
  config: ForwardCase['config'],
  [seed, p, r]: number[],
): Encoded {
  const ids: number[] = [];
  const kinds: number[] = [];
  const words = config.text_config.vocab_size - 40;
  const push = (name: (typeof tokenKinds)[number], count: number, id: (i: number) => number) => {
    for (let i = 0; i < count; i++) {
      ids.push(id(i));
      kinds.push(kind(name));
    }
  };
  const word = (...address: (string | number)[]) => hash(seed, ...address) % words;
  push('system', system, (i) => word('system', i));
  for (const [n, grid] of grids.entries()) {
    push('header', 1, () => words + n);
    push(
      'image',
      (grid[1] * grid[2]) / config.vision_config.spatial_merge_size ** 2,
      () => config.image_token_id,
    );
  }
  push('user', question, (i) => word('question', p, r, i));
  push('header', 1, () => words + 5);
  push('answer', answer, (i) => word('answer', p, r, i));
  push('end', 1, () => words + 6);
  return {
    row: 0,
    ids: Int32Array.from(ids),
    kinds: Uint8Array.from(kinds),
    grids,
    images: grids.map(() => ({ path: 'seeded' })),
  };
}
