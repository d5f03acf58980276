import { describe, expect, it } from 'vitest';
import { createPace, tokensToAnswer } from '../../src/train/pace.ts';

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

  it('counts an answer by its prompt and, far dearer, by its tokens', () => {
    const sizes = [
      { tokens: 300, labelTokens: 5, pixelBytes: 0 },
      { tokens: 1000, labelTokens: 90, pixelBytes: 0 },
      { tokens: 200, labelTokens: 3, pixelBytes: 0 },
    ];
    // Between the 27 and the 63 tokens of a prompt that were measured.
    expect(tokensToAnswer([0, 2], sizes)).toBeGreaterThan(500 + 8 * 27);
    expect(tokensToAnswer([0, 2], sizes)).toBeLessThan(500 + 8 * 63);
  });
});
