import { describe, expect, it } from 'vitest';
import { createPace } from '../../src/train/pace.ts';

describe('pace', () => {
  const totals = { tokens: 1000, evaluations: 2, tokensPerEvaluation: 100, evaluationShare: 0.5 };

  it('forgets the first micro-batch once there is a second', () => {
    const pace = createPace(totals);
    pace.trained(100, 10);
    expect(pace.tokensPerSecond()).toBe(10);
    pace.trained(100, 1);
    expect(pace.tokensPerSecond()).toBe(100);
    // 800 tokens at 100 a second, and two evaluations of 100 tokens at half the price.
    expect(pace.secondsLeft()).toBeCloseTo(8 + 2 * 0.5);
  });

  it('counts evaluations at what the last one took', () => {
    const pace = createPace(totals);
    pace.trained(500, 5);
    pace.evaluated(3);
    expect(pace.secondsLeft()).toBeCloseTo(5 + 3);
    pace.evaluated(4);
    expect(pace.secondsLeft()).toBeCloseTo(5);
  });
});
