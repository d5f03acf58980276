import { describe, expect, it } from 'vitest';
import { type BatchSize, batchSize, tellingRuns } from '../../src/train/batch-sizes.ts';

const imageTokens = (bytes: number) => bytes / 100;
const prefix = { group: 7, tokens: 20 };
const sizes = [
  { tokens: 30, labelTokens: 3, pixelBytes: 1600, prefix },
  { tokens: 34, labelTokens: 5, pixelBytes: 1600, prefix },
  { tokens: 12, labelTokens: 2, pixelBytes: 0 },
];

describe('the size of a graph run', () => {
  it('adds up tokens, labels and image tokens of its rows', () => {
    expect(batchSize([0, 2], sizes, imageTokens)).toEqual({ T: 42, N: 5, M: 16 });
  });

  it('counts once what rows share, their pictures with it', () => {
    expect(batchSize([0, 1, 2], sizes, imageTokens)).toEqual({ T: 30 + 14 + 12, N: 10, M: 16 });
  });

  it('has one blank image token where there is no picture', () => {
    expect(batchSize([2], sizes, imageTokens)).toEqual({ T: 12, N: 2, M: 1 });
  });
});

describe('the runs that tell how much memory all of them take', () => {
  const run = (T: number, N = 1, M = 1): BatchSize => ({ T, N, M });

  it('are the first four, then those that no other covers, the longest last and twice', () => {
    const all = [10, 40, 20, 30, 25, 80, 60, 50].map((T) => run(T));
    expect(tellingRuns(all).map(({ T }) => T)).toEqual([10, 40, 20, 30, 80, 80]);
    const mixed = [run(10), run(90, 1), run(50, 9), run(40, 8)];
    expect(tellingRuns(mixed)).toEqual([...mixed, run(50, 9), run(90, 1), run(90, 1)]);
  });

  it('are one as large as each of them where they are many', () => {
    const many = Array.from({ length: 9 }, (_, i) => run(100 + i, 20 - i, 5));
    expect(tellingRuns(many).slice(4)).toEqual([run(108, 20, 5), run(108, 20, 5)]);
  });

  it('are none of nothing', () => {
    expect(tellingRuns([])).toEqual([]);
  });
});
