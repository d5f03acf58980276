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

  describe('of groups', () => {
    // 24 rows: three groups of 7, three rows alone.
    const of = (row: number) => (row < 42 ? Math.floor(row / 14) : undefined);
    const grouped = { ...options, accumulation: 24, groups: { of, mostRows: 3 } };
    const runsOf = (order: number[]) => {
      const runs: number[][] = [];
      for (const row of order) {
        const last = runs.at(-1);
        if (last && of(row) !== undefined && of(row) === of(last[0])) last.push(row);
        else runs.push([row]);
      }
      return runs;
    };

    it('leaves up to mostRows of a group beside each other, in parts of equal size', () => {
      for (const epoch of [0, 1, 2, 3]) {
        const [order] = stepsOfEpoch(rows, { ...grouped, epoch });
        expect([...order].sort((a, b) => a - b)).toEqual(rows);
        // Two parts of a group may meet by chance: 7 = 2 + 3 + 2.
        for (const run of runsOf(order))
          if (of(run[0]) !== undefined) expect([2, 3, 4, 5, 7]).toContain(run.length);
        expect(runsOf(order).length).toBeLessThan(
          runsOf(stepsOfEpoch(rows, { ...grouped, epoch, groups: undefined })[0]).length,
        );
      }
    });

    it('puts other rows of a group together in each epoch, by seed and epoch alone', () => {
      const first = (epoch: number) => stepsOfEpoch(rows, { ...grouped, epoch })[0];
      expect(first(0)).toEqual(first(0));
      const parts = (epoch: number) => runsOf(first(epoch)).map((run) => run.sort((a, b) => a - b).join());
      expect(new Set(parts(0))).not.toEqual(new Set(parts(1)));
    });

    it("keeps the file's order where nothing is shuffled", () => {
      expect(stepsOfEpoch(rows, { ...grouped, shuffle: false })[0]).toEqual(rows);
    });
  });
});
