import { describe, expect, it } from 'vitest';
import { type Encoded, type Grid, tokenKinds } from '../../../src/data/example.ts';
import { layOut } from '../../../src/data/pack.ts';
import { parseModelConfig } from '../../../src/models/qwen2-vl/config.ts';
import { dropoutFeeds, labelRows, textFeeds } from '../../../src/models/qwen2-vl/feeds.ts';
import { hash } from '../../../src/random.ts';
import { loadForwardCase } from '../../support/parity.ts';

const config = parseModelConfig(loadForwardCase('one-image').config as never, 'config.json');
const [image, user, answer] = ['image', 'user', 'answer'].map((kind) => tokenKinds.indexOf(kind as never));
const picture = config.imageTokenId;

/** A picture of one token, a question and an answer. */
const sample = (
  row: number,
  question: number[],
  answers: number[],
  prefix?: { group: number; tokens: number },
) => {
  const encoded: Encoded = {
    row,
    ids: Int32Array.of(picture, ...question, ...answers),
    kinds: Uint8Array.of(image, ...question.map(() => user), ...answers.map(() => answer)),
    grids: [[1, 2, 2] satisfies Grid],
    images: [],
  };
  return { encoded, prefix };
};

const shared = { group: 0, tokens: 2 };
/** Rows of the run: prefix 0 1, branches 2 3 | 4 5 6, then another sample 7 8 9. */
const layout = layOut([
  sample(10, [5], [6, 7], shared),
  sample(20, [4], [3]),
  sample(30, [5, 8], [9, 2], shared),
]);

describe('feeds of a pack', () => {
  it('let every branch see the prefix and itself, never another branch', () => {
    const { data } = textFeeds(layout, config).mask;
    const seen = Array.from({ length: 10 }, (_, t) =>
      Array.from(data.subarray(t * 10, (t + 1) * 10), (value) => (value === 0 ? 'x' : '.')).join(''),
    );
    expect(seen).toEqual([
      'x.........',
      'xx........',
      'xxx.......',
      'xxxx......',
      'xx..x.....',
      'xx..xx....',
      'xx..xxx...',
      '.......x..',
      '.......xx.',
      '.......xxx',
    ]);
  });

  it('hold each prefix and each of its pictures once, and turn branches on from where it ends', () => {
    const { ids, isImage, imageIndex, cos } = textFeeds(layout, config);
    expect([...ids.data]).toEqual([picture, 5, 6, 7, 8, 9, 2, picture, 4, 3]);
    expect([...isImage.data]).toEqual([1, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    expect([...imageIndex.data]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    const half = config.text.headDim / 2;
    const turn = (t: number) => [...cos.data.subarray(t * half, (t + 1) * half)];
    // Indices 0 1 | 2 3 | 2 3 4, and 0 1 2 of the other sample.
    expect(turn(4)).toEqual(turn(2));
    expect(turn(5)).toEqual(turn(3));
    expect(turn(9)).toEqual(turn(2));
    expect(turn(6)).not.toEqual(turn(3));
  });

  it('predict the first labels of branches from the last row of what they share', () => {
    const { rows, labels, counts } = labelRows(layout);
    expect([...rows]).toEqual([1, 2, 8, 4, 5]);
    expect([...labels]).toEqual([6, 7, 3, 9, 2]);
    expect(counts).toEqual([2, 1, 2]);
  });

  it('draw dropout for branches by their own rows, and for what they share by the first', () => {
    const feeds = dropoutFeeds(layout, { config }, { seed: 1, step: 2 });
    const key = (row: number, symbol: string, i: number) => hash(1, 2, row, symbol, i) | 0;
    const tokens: [row: number, t: number][] = [
      [10, 0],
      [10, 1],
      [10, 2],
      [10, 3],
      [30, 2],
      [30, 3],
      [30, 4],
      [20, 0],
      [20, 1],
      [20, 2],
    ];
    expect([...feeds['dropoutKeys T'].data]).toEqual(tokens.map(([row, t]) => key(row, 'T', t)));
    expect([...feeds['dropoutKeys M'].data]).toEqual([key(10, 'M', 0), key(20, 'M', 0)]);
    expect(feeds['dropoutKeys 4*M'].dims).toEqual([8]);
  });
});
