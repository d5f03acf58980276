import { describe, expect, it } from 'vitest';
import { stream } from '../../src/random.ts';
import { calibrationOf } from '../../src/report/calibration.ts';
import { rowScore } from './row-scores.ts';

describe('calibration', () => {
  it('is the mean distance of hits and probability over bins, weighed by tokens', () => {
    // (0.7, 0.8]: 0.75 and 0.8, one hit of two: |0.5 - 0.775| = 0.275, weight 2/3.
    // (0.9, 1.0]: 0.95, a hit: 0.05, weight 1/3. Together 0.2.
    const rows = [
      rowScore(0, [
        ['answer', 0.3, true, 0.75],
        ['end', 0.05, true, 0.95],
      ]),
      rowScore(1, [['answer', 2, false, 0.8]]),
    ];
    const calibration = calibrationOf(rows);
    expect(calibration?.error).toBeCloseTo(0.2, 12);
    expect(calibration?.tokens).toBe(3);
    expect(calibration?.bins).toHaveLength(10);
    expect(calibration?.bins[7]).toMatchObject({ from: 0.7, to: 0.8, tokens: 2, accuracy: 0.5 });
    expect(calibration?.bins[7].confidence).toBeCloseTo(0.775, 12);
    expect(calibration?.bins[0]).toMatchObject({ tokens: 0, accuracy: 0, confidence: 0 });
  });

  it('puts a border into the bin below it, 0 into the first and 1 into the last', () => {
    const at = (top: number) =>
      calibrationOf([rowScore(0, [['answer', 1, true, top]])])!.bins.findIndex(({ tokens }) => tokens > 0);
    expect([0, 0.1, 0.1000001, 0.5, 0.9, 1].map(at)).toEqual([0, 0, 1, 4, 8, 9]);
  });

  it('is near 0 where hits come as often as the probability says, and its distance where they do not', () => {
    const draws = stream(7, 'calibration');
    const rows = (honest: number) =>
      Array.from({ length: 20_000 }, (_, i) => {
        const top = 0.2 + 0.8 * draws.uniform();
        return rowScore(i, [['answer', 1, draws.uniform() < top * honest, top]]);
      });
    expect(calibrationOf(rows(1))!.error).toBeLessThan(0.02);
    expect(calibrationOf(rows(0.5))!.error).toBeCloseTo(0.3, 1);
  });

  it('says nothing without tokens', () => {
    expect(calibrationOf([])).toBeUndefined();
    expect(calibrationOf([rowScore(0, [])])).toBeUndefined();
  });
});
