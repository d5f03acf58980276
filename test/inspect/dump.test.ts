import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DumpedSequence, readDump } from '../../src/inspect/dump.ts';
import { matchRows } from '../../src/inspect/dump-match.ts';
import { folderOf } from '../data/folder.ts';

const tokens = { vocabularySize: 100, paddingId: 0 };

function read(content: unknown): Promise<DumpedSequence[]> {
  const file = join(folderOf({}), 'dump.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readDump(file, tokens);
}

const plain = (sequences: DumpedSequence[]) =>
  sequences.map(({ ids, trained, padding }) => ({ ids: [...ids], trained: [...trained], padding }));

describe('a dump of labels', () => {
  const expected = { ids: [5, 6, 7], trained: [0, 0, 1], padding: { tokens: 0, trained: 0 } };

  it.each<[string, unknown]>([
    ['one sequence', { input_ids: [5, 6, 7], labels: [-100, -100, 7] }],
    ['a batch', { input_ids: [[5, 6, 7]], labels: [[-100, -100, 7]] }],
    ['a list of sequences', [{ input_ids: [5, 6, 7], labels: [-100, -100, 7] }]],
    [
      'a list of batches',
      [{ input_ids: [[5, 6, 7]], labels: [[-100, -100, 7]], attention_mask: [[1, 1, 1]] }],
    ],
  ])('is read as %s', async (_, content) => {
    expect(plain(await read(content))).toEqual([expected]);
  });

  it('loses its padding on either side, by its mask or by the padding id, which is counted', async () => {
    const right = { input_ids: [5, 6, 7, 0, 0], labels: [-100, -100, 7, -100, -100] };
    const left = { input_ids: [0, 0, 5, 6, 7], labels: [-100, -100, -100, -100, 7] };
    const padding = { tokens: 2, trained: 0 };
    expect(plain(await read([right, left]))).toEqual(Array(2).fill({ ...expected, padding }));
    const other = { input_ids: [5, 6, 0, 9, 9], labels: [5, 6, 0, 9, 9], attention_mask: [1, 1, 1, 0, 0] };
    expect(plain(await read(other))).toEqual([
      { ids: [5, 6, 0], trained: [0, 1, 1], padding: { tokens: 2, trained: 2 } },
    ]);
  });

  it('counts the first token behind padding as trained from padding', async () => {
    const left = { input_ids: [0, 0, 5, 6], labels: [-100, -100, 5, 6] };
    expect(plain(await read(left))).toEqual([
      { ids: [5, 6], trained: [0, 1], padding: { tokens: 2, trained: 1 } },
    ]);
  });

  const ids = [5, 6, 7];
  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{"input_ids": [1,', /is not valid JSON/],
    ['no object', [[1, 2]], /an object with input_ids and labels expected, got a list of 2/],
    ['no labels', { input_ids: ids }, /labels expected a list, got nothing/],
    ['a prototype', '{"__proto__": {"labels": [1]}, "input_ids": [1]}', /__proto__/],
    ['nothing', [], /at least one sequence expected/],
    [
      'another number of labels',
      { input_ids: ids, labels: [5] },
      /sequence 0: labels expected 3 values, .* got 1/,
    ],
    [
      'another number of rows',
      { input_ids: [ids, ids], labels: [ids] },
      /labels expected 2 sequences, .* got 1/,
    ],
    [
      'an id beyond the vocabulary',
      { input_ids: [5, 100], labels: [5, 100] },
      /from 0 to 99, got 100 at token 1/,
    ],
    ['an id that is none', { input_ids: [5, 1.5], labels: [5, -100] }, /got 1\.5 at token 1/],
    [
      'labels already shifted',
      { input_ids: ids, labels: [6, 7, -100] },
      /one token to the left.*The model shifts them itself/,
    ],
    [
      'another mask value',
      { input_ids: ids, labels: [-1, 6, 7] },
      /-100 or the token's own id 5 at token 0, got -1/,
    ],
    [
      'a hole in the mask',
      { input_ids: ids, labels: ids, attention_mask: [1, 0, 1] },
      /zeros at the ends alone/,
    ],
    ['padding alone', { input_ids: [0, 0], labels: [-100, -100] }, /got padding alone/],
  ])('is refused with %s', async (_, content, words) => {
    await expect(read(content)).rejects.toMatchObject({
      code: 'data',
      message: expect.stringMatching(words),
    });
  });
});

describe('sequences and rows', () => {
  const sequence = (sequence: number, ids: number[]): DumpedSequence => ({
    sequence,
    ids: Int32Array.from(ids),
    trained: new Uint8Array(ids.length),
    padding: { tokens: 0, trained: 0 },
  });
  const row = (row: number, ids: number[]) => ({ row, ids: Int32Array.from(ids) });

  it('meet by their tokens, whatever their order', () => {
    const { byRow, unmatched } = matchRows(
      [sequence(0, [1, 2]), sequence(1, [1, 3])],
      [row(4, [1, 3]), row(5, [9]), row(6, [1, 2])],
    );
    expect([...byRow].map(([row, { sequence }]) => [row, sequence])).toEqual([
      [4, 1],
      [6, 0],
    ]);
    expect(unmatched).toEqual([]);
  });

  it('share one sequence among rows that are the same, and several in their order', () => {
    const same = [row(0, [1, 2]), row(1, [1, 2])];
    const numbers = (sequences: DumpedSequence[]) =>
      [...matchRows(sequences, same).byRow].map(([, { sequence }]) => sequence);
    expect(numbers([sequence(7, [1, 2])])).toEqual([7, 7]);
    expect(numbers([sequence(7, [1, 2]), sequence(8, [1, 2])])).toEqual([7, 8]);
  });

  it('tell the first token that differs from the nearest row, also where one side ends', () => {
    const rows = [row(0, [1, 2, 3, 4, 5]), row(1, [1, 2, 8, 4, 6])];
    expect(matchRows([sequence(0, [1, 2, 9, 4, 6])], rows).unmatched).toEqual([
      { sequence: 0, nearestRow: 1, position: 2, ours: 8, theirs: 9 },
    ]);
    expect(matchRows([sequence(0, [1, 2, 3])], rows).unmatched).toEqual([
      { sequence: 0, nearestRow: 0, position: 3, ours: 4, theirs: null },
    ]);
  });
});
