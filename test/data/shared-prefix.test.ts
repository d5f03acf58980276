import { describe, expect, it } from 'vitest';
import { type Encoded, tokenKinds } from '../../src/data/example.ts';
import { firstOf, layOut, packedTokens, rowOf } from '../../src/data/pack.ts';
import { PrefixFinder } from '../../src/data/shared-prefix.ts';

const letters = { s: 'system', u: 'user', h: 'header', i: 'image', a: 'answer', e: 'end' } as const;

/** Kinds in letters. */
function encoded(ids: number[], kinds: string): Encoded {
  const index = [...kinds].map((letter) => tokenKinds.indexOf(letters[letter as keyof typeof letters]));
  const grids = kinds.includes('i') ? ([[1, 2, 2 * kinds.split('i').length - 2]] as const) : [];
  return { row: 0, ids: Int32Array.from(ids), kinds: Uint8Array.from(index), grids: [...grids], images: [] };
}

function prefixesOf(...rows: [ids: number[], kinds: string, contents: string[]][]) {
  const finder = new PrefixFinder();
  for (const [ids, kinds, contents] of rows) finder.add(encoded(ids, kinds), contents);
  return finder.prefixes();
}

describe('shared prefixes', () => {
  it('go on behind the last picture as far as all rows are the same', () => {
    const prefixes = prefixesOf(
      [[1, 9, 9, 5, 6, 2, 7, 3], 'siiuuhae', ['x']],
      [[1, 9, 9, 5, 6, 4, 2, 7, 3], 'siiuuuhae', ['x']],
      [[1, 9, 9, 5, 8, 2, 7, 3], 'siiuuhae', ['x']],
    );
    expect(prefixes).toEqual(Array(3).fill({ group: 0, tokens: 4 }));
  });

  it('never hold a label, whatever answers have in common', () => {
    const row = [[9, 5, 2, 7, 3], 'iuhae', ['x']] as [number[], string, string[]];
    expect(prefixesOf(row, row)).toEqual(Array(2).fill({ group: 0, tokens: 3 }));
  });

  it('need the same pictures in the same order, and the same words up to the last of them', () => {
    const two = 'siiuhae';
    const alone = prefixesOf(
      [[1, 9, 9, 5, 2, 7, 3], two, ['x', 'y']],
      [[1, 9, 9, 5, 2, 7, 3], two, ['y', 'x']],
      [[1, 9, 9, 5, 2, 7, 3], two, ['x', 'x']],
      [[8, 9, 9, 5, 2, 7, 3], two, ['x', 'y']],
      [[1, 9, 9, 9, 2, 7, 3], 'siiihae', ['x', 'y']],
    );
    expect(alone).toEqual(Array(5).fill(undefined));
  });

  it('are not told of pictures that come after an answer', () => {
    const row = [[5, 2, 7, 3, 9, 2, 7, 3], 'uhaeihae', ['x']] as [number[], string, string[]];
    expect(prefixesOf(row, row)).toEqual([undefined, undefined]);
  });

  it('are the system text where rows have no picture', () => {
    const prefixes = prefixesOf(
      [[1, 1, 4, 6, 2, 7, 3], 'sshuhae', []],
      [[1, 1, 4, 5, 2, 7, 3], 'sshuhae', []],
      [[1, 4, 5, 2, 7, 3], 'shuhae', []],
    );
    expect(prefixes).toEqual([{ group: 0, tokens: 3 }, { group: 0, tokens: 3 }, undefined]);
    expect(prefixesOf([[5, 2, 7], 'uha', []], [[6, 2, 7], 'uha', []])).toEqual([undefined, undefined]);
  });
});

describe('a layout', () => {
  const prefix = { group: 3, tokens: 2 };
  const samples = [
    { encoded: encoded([9, 5, 6, 7], 'iuha'), prefix },
    { encoded: encoded([1, 2, 3], 'uha') },
    { encoded: encoded([9, 5, 8], 'iua'), prefix },
  ];

  it('puts each prefix before its branches, pack after pack', () => {
    const layout = layOut(samples);
    expect(layout.packs).toEqual([
      {
        prefix: { start: 0, end: 2 },
        branches: [
          { sample: 0, start: 2, end: 4 },
          { sample: 2, start: 4, end: 5 },
        ],
      },
      { prefix: { start: 5, end: 5 }, branches: [{ sample: 1, start: 5, end: 8 }] },
    ]);
    expect(layout.tokens).toBe(8);
    const sizes = samples.map(({ encoded, prefix }) => ({ tokens: encoded.ids.length, prefix }));
    expect(packedTokens(sizes)).toBe(8);
    const [pack] = layout.packs;
    expect(firstOf(layout, pack)).toBe(samples[0]);
    expect([0, 1, 2].map((t) => rowOf(pack, pack.branches[1], t))).toEqual([0, 1, 4]);
  });

  it('lets a row run by itself that does not begin as it did when it was read', () => {
    const changed = { encoded: encoded([9, 4, 8], 'iua'), prefix };
    const grown = { ...samples[0], encoded: { ...samples[0].encoded, grids: [[1, 4, 4] as const] } };
    for (const other of [changed, grown]) {
      const { packs, tokens } = layOut([samples[0], other]);
      expect(packs.map(({ branches }) => branches.length)).toEqual([1, 1]);
      expect(tokens).toBe(samples[0].encoded.ids.length + other.encoded.ids.length);
    }
  });
});
