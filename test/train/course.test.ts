import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stepsOfEpoch } from '../../src/data/sampler.ts';
import { computedTokens, countSteps, course, type RowSize } from '../../src/train/course.ts';
import { microBatches } from '../../src/train/micro-batches.ts';

const sizesOf = (...tokens: number[]): RowSize[] =>
  tokens.map((tokens) => ({ tokens, labelTokens: 1, pixelBytes: 0 }));
const sizes = sizesOf(3, 5, 2, 9, 1, 1);

/** Rows of a group share all but their last tokens. */
const sharing = (...rows: [group: number, prefix: number, tokens: number][]): RowSize[] =>
  rows.map(([group, prefix, tokens]) => ({
    tokens,
    labelTokens: 1,
    pixelBytes: 0,
    prefix: { group, tokens: prefix },
  }));

describe('micro-batches', () => {
  it('fill the first run with room, and a row beyond the bound runs alone', () => {
    expect(microBatches([0, 1, 2, 3, 4, 5], sizes, 8)).toEqual([[0, 1], [2, 4, 5], [3]]);
    expect(microBatches([0, 1, 2], sizes, 1)).toEqual([[0], [1], [2]]);
    expect(microBatches([], sizes, 8)).toEqual([]);
  });

  it('hold a prefix once, wherever its rows stand', () => {
    const rows = sharing([0, 10, 12], [1, 10, 13], [0, 10, 11], [1, 10, 12]);
    expect(microBatches([0, 1, 2, 3], rows, 15)).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expect(
      computedTokens(
        [
          [0, 2],
          [1, 3],
        ],
        rows,
      ),
    ).toBe(10 + 2 + 1 + 10 + 3 + 2);
    expect(microBatches([0, 1, 2, 3], rows, 28)).toEqual([[0, 2, 1, 3]]);
  });

  it('split a group that is too large, each part with its prefix', () => {
    const rows = sharing([0, 10, 14], [0, 10, 14], [0, 10, 14], [0, 10, 30]);
    expect(microBatches([0, 1, 2, 3], rows, 18)).toEqual([[0, 1], [2], [3]]);
    expect(computedTokens([[0, 1], [2], [3]], rows)).toBe(18 + 14 + 30);
  });
});

describe('course of a run', () => {
  it('starts every epoch with a step of its own and ends at maxSteps', () => {
    const stepsOfEpoch = (epoch: number) => [[epoch, 2], [4]];
    const steps = [...course(sizes, { epochs: 2, maxTokens: 5, maxSteps: 3, stepsOfEpoch })];
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

  const drawnRow = fc.record({
    group: fc.option(fc.nat(5), { nil: undefined }),
    own: fc.integer({ min: 1, max: 12 }),
  });
  const drawn = fc.record({
    rows: fc.array(drawnRow, { minLength: 1, maxLength: 60 }),
    accumulation: fc.integer({ min: 1, max: 20 }),
    mostRows: fc.integer({ min: 1, max: 8 }),
    maxTokens: fc.integer({ min: 1, max: 80 }),
    seed: fc.nat(1000),
    shuffle: fc.boolean(),
  });

  it('trains on every row once an epoch, packed or not, in the same steps, within the bound', () => {
    fc.assert(
      fc.property(drawn, ({ rows, accumulation, mostRows, maxTokens, seed, shuffle }) => {
        const prefixTokens = (group: number) => 3 * group + 2;
        const packed: RowSize[] = rows.map(({ group, own }) => ({
          tokens: own + (group === undefined ? 0 : prefixTokens(group)),
          labelTokens: 1,
          pixelBytes: 0,
          ...(group !== undefined && { prefix: { group, tokens: prefixTokens(group) } }),
        }));
        const separate = packed.map(({ prefix: _, ...size }) => size);
        const indices = [...rows.keys()];
        const groups = { of: (row: number) => rows[row].group, mostRows };
        const walk = (sizes: RowSize[]) => [
          ...course(sizes, {
            epochs: 2,
            maxTokens,
            stepsOfEpoch: (epoch) => stepsOfEpoch(indices, { epoch, seed, shuffle, accumulation, groups }),
          }),
        ];
        const [together, alone] = [walk(packed), walk(separate)];
        const rowsOf = (batches: number[][]) => batches.flat().sort((a, b) => a - b);
        expect(together.map(({ batches }) => rowsOf(batches))).toEqual(
          alone.map(({ batches }) => rowsOf(batches)),
        );
        for (const epoch of [1, 2]) {
          const steps = together.filter((step) => step.epoch === epoch);
          expect(rowsOf(steps.flatMap(({ batches }) => batches))).toEqual(indices);
          expect(steps).toHaveLength(Math.ceil(rows.length / accumulation));
        }
        for (const [sizes, steps] of [
          [packed, together],
          [separate, alone],
        ] as const)
          for (const { batches } of steps)
            for (const batch of batches)
              if (batch.length > 1) expect(computedTokens([batch], sizes)).toBeLessThanOrEqual(maxTokens);
        // Separate rows may fill their runs better; what is computed never grows.
        together.forEach(({ batches }, i) => {
          expect(computedTokens(batches, packed)).toBeLessThanOrEqual(
            computedTokens(alone[i].batches, separate),
          );
        });
      }),
    );
  });
});
