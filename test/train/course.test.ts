import { describe, expect, it } from 'vitest';
import { countSteps, course, packRows } from '../../src/train/course.ts';

const sizes = [3, 5, 2, 9, 1, 1].map((tokens) => ({ tokens, labelTokens: 1, pixelBytes: 0 }));

describe('course of a run', () => {
  it('packs neighbours in order, and a row beyond the bound alone', () => {
    expect(packRows([0, 1, 2, 3, 4, 5], sizes, 8)).toEqual([[0, 1], [2], [3], [4, 5]]);
    expect(packRows([0, 1, 2], sizes, 1)).toEqual([[0], [1], [2]]);
    expect(packRows([], sizes, 8)).toEqual([]);
  });

  it('starts every epoch with a step of its own and ends at maxSteps', () => {
    const stepsOfEpoch = (epoch: number) => [[epoch, 2], [4]];
    const steps = [...course(sizes, { epochs: 2, packTokens: 5, maxSteps: 3, stepsOfEpoch })];
    expect(steps).toEqual([
      { step: 1, epoch: 1, batches: [[0, 2]] },
      { step: 2, epoch: 1, batches: [[4]] },
      { step: 3, epoch: 2, batches: [[1], [2]] },
    ]);
  });

  it('counts a smaller last step in every epoch', () => {
    expect(countSteps(24, 5, 3)).toBe(15);
    expect(countSteps(25, 5, 3)).toBe(15);
    expect(countSteps(1, 16, 3)).toBe(3);
    expect(countSteps(100, 10, 3, 7)).toBe(7);
  });
});
