import { describe, expect, it } from 'vitest';
import type { Share } from '../../src/metrics/bootstrap.ts';
import { signFlipTest } from '../../src/metrics/sign-flip.ts';
import { stream } from '../../src/random.ts';

const differences = (...sums: number[]): Share[] =>
  sums.map((sum, i) => ({ cluster: `p${i}`, sum, weight: 1 }));

describe('the sign-flip test', () => {
  it('counts the flips that lie as far out, by hand', () => {
    // All five alike: only +++++ and ----- reach 5, 2 of 32.
    expect(signFlipTest(differences(1, 1, 1, 1, 1), 1)).toEqual({ p: 2 / 32, flips: 32, isExact: true });
    // 3 + 1 - 1 = 3: of the 8 flips, those with |sum| >= 3 are ±(3, x, y) but for 3 - 1 - 1 = 1 and its negative: 6.
    expect(signFlipTest(differences(3, 1, -1), 1).p).toBe(6 / 8);
    expect(signFlipTest(differences(1, -1), 1).p).toBe(1);
    expect(signFlipTest([], 1).p).toBe(1);
  });

  it('flips rows of a cluster together: five rows about one picture are one difference', () => {
    const together = differences(1, 1, 1, 1, 1).map((row) => ({ ...row, cluster: 'one' }));
    expect(signFlipTest(together, 1)).toMatchObject({ p: 1, flips: 2 });
  });

  it('passes over clusters without a difference', () => {
    expect(signFlipTest(differences(1, 1, 0, 0, 0), 1)).toEqual(signFlipTest(differences(1, 1), 1));
  });

  it('draws flips where they are too many to count, near the counted p', () => {
    // n - k of n = 20 alike against k: the two-sided binomial sign test. 15 against 5: 2 * sum_{i<=5} C(20, i) / 2^20.
    const sums = [...new Array(15).fill(1), ...new Array(5).fill(-1)];
    const { p, flips, isExact } = signFlipTest(differences(...sums), 7);
    expect({ flips, isExact }).toEqual({ flips: 9999, isExact: false });
    expect(p).toBeCloseTo((2 * (1 + 20 + 190 + 1140 + 4845 + 15504)) / 2 ** 20, 2);
    expect(signFlipTest(differences(...new Array(40).fill(1)), 7).p).toBe(1 / 10_000);
  });

  it('is wrong in about 5 of 100 draws where there is no difference', () => {
    const draws = stream(11, 'data');
    let found = 0;
    for (let trial = 0; trial < 200; trial++) {
      const sums = Array.from({ length: 12 }, () => draws.normal());
      if (signFlipTest(differences(...sums), trial).p < 0.05) found++;
    }
    expect(found).toBeGreaterThan(2);
    expect(found).toBeLessThan(20);
  });
});
