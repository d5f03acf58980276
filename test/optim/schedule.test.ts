import { describe, expect, it } from 'vitest';
import { learningRate, type Schedule, warmupStepsOf } from '../../src/optim/schedule.ts';
import { loadFixture } from '../support/parity.ts';

const fixture = loadFixture('optimizer') as {
  schedules: {
    schedule: Schedule;
    base: number;
    totalSteps: number;
    warmupSteps: number;
    rates: number[];
  }[];
  warmupRatios: [ratio: number, totalSteps: number, warmupSteps: number][];
};

describe('learningRate', () => {
  it.each(fixture.schedules)(
    '$schedule over $totalSteps steps, warm-up $warmupSteps, equals transformers',
    ({ schedule, rates, ...lengths }) => {
      const ours = rates.map((_, s) => learningRate(schedule, s, lengths));
      if (schedule === 'cosine') {
        for (const [s, rate] of rates.entries()) expect(Math.abs(ours[s] - rate)).toBeLessThan(1e-18);
      } else expect(ours).toEqual(rates);
    },
  );

  it('stays at 0 after the end', () => {
    const lengths = { base: 1, totalSteps: 10, warmupSteps: 2 };
    expect(learningRate('linear', 12, lengths)).toBe(0);
    expect(learningRate('cosine', 10, lengths)).toBe(0);
  });

  it('only grows where the warm-up is as long as the run', () => {
    const lengths = { base: 1, totalSteps: 4, warmupSteps: 9 };
    expect([0, 1, 2, 3].map((s) => learningRate('linear', s, lengths))).toEqual([0, 1 / 9, 2 / 9, 3 / 9]);
  });
});

it.each(fixture.warmupRatios)('a warm-up ratio of %f over %i steps is %i', (ratio, total, steps) => {
  expect(warmupStepsOf(ratio, total)).toBe(steps);
});
