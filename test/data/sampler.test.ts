import { describe, expect, it } from 'vitest';
import { stepsOfEpoch } from '../../src/data/sampler.ts';

const rows = Array.from({ length: 24 }, (_, i) => i * 2);
const options = { epoch: 0, seed: 42, shuffle: true, accumulation: 5 };

describe('stepsOfEpoch', () => {
  it('ends an epoch with a smaller step', () => {
    expect(stepsOfEpoch(rows, options).map((step) => step.length)).toEqual([5, 5, 5, 5, 4]);
    expect(stepsOfEpoch(rows.slice(0, 20), options).map((step) => step.length)).toEqual([5, 5, 5, 5]);
    expect(stepsOfEpoch(rows.slice(0, 2), options).map((step) => step.length)).toEqual([2]);
    expect(stepsOfEpoch([], options)).toEqual([]);
  });

  it('holds every row once', () => {
    expect(
      stepsOfEpoch(rows, options)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(rows);
  });

  it('is a function of seed and epoch alone', () => {
    expect(stepsOfEpoch(rows, options)).toEqual(stepsOfEpoch([...rows], options));
    expect(stepsOfEpoch(rows, options)).not.toEqual(stepsOfEpoch(rows, { ...options, epoch: 1 }));
    expect(stepsOfEpoch(rows, options)).not.toEqual(stepsOfEpoch(rows, { ...options, seed: 43 }));
  });

  it('keeps the order of the file where asked, and its input', () => {
    const before = [...rows];
    expect(stepsOfEpoch(rows, { ...options, shuffle: false, epoch: 3 }).flat()).toEqual(before);
    stepsOfEpoch(rows, options);
    expect(rows).toEqual(before);
  });
});
