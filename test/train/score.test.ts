import { describe, expect, it } from 'vitest';
import { scoredRow, scoresOf } from '../../src/train/score.ts';
import { encodedRow } from './bigram.ts';

function score(...samples: [kinds: string, losses: number[], hits: number[], top?: number[]][]) {
  const rows = samples.map(([kinds, losses, hits, top = losses.map(() => 1)]) => {
    const encoded = encodedRow(0, [...kinds].map(Number), kinds);
    const result = {
      losses: Float32Array.from(losses),
      hits: Uint8Array.from(hits),
      top: Float32Array.from(top),
    };
    return scoredRow('validation', encoded, result);
  });
  return scoresOf(rows);
}

describe('score', () => {
  it('weighs tokens, not samples', () => {
    const result = score(['uhae', [1, 2], [1, 0]], ['uhaaae', [3, 4, 5, 6], [0, 1, 1, 1]]);
    expect(result).toMatchObject({
      loss: 21 / 6,
      rows: 2,
      tokens: 6,
      tokenAccuracy: 4 / 6,
      exactMatch: 0,
      answerLoss: (1 + 3 + 4 + 5) / 4,
    });
  });

  it('asks an exact turn for its content and its end, not for the newline after it', () => {
    expect(score(['uhaaee', [0, 0, 0, 0], [1, 1, 1, 0]]).exactMatch).toBe(1);
    expect(score(['uhaaee', [0, 0, 0, 0], [1, 1, 0, 1]]).exactMatch).toBe(0);
    expect(score(['uhaaee', [0, 0, 0, 0], [0, 1, 1, 1]]).exactMatch).toBe(0);
  });

  it('counts every assistant turn of a conversation', () => {
    const kinds = 'uhaeeuhaee';
    expect(score([kinds, [0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1]]).exactMatch).toBe(1 / 2);
    expect(score([kinds, [0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0]]).exactMatch).toBe(1);
  });

  it('never counts a label at the very first token, which nothing predicts', () => {
    expect(score(['ae', [2], [1]])).toMatchObject({ tokens: 1, loss: 2, answerLoss: null });
  });

  it('holds the share of hits against the probability of the likeliest token, tenth by tenth', () => {
    // 0.9..1: sure of three, right in two. 0.5..0.6: half sure of two, right in both.
    const result = score(['uhaaaee', [0, 0, 0, 0, 0], [1, 1, 0, 1, 1], [0.95, 0.95, 1, 0.5, 0.55]]);
    const sure = Math.abs(2 - 2.9);
    const halfSure = Math.abs(2 - 1.05);
    expect(result.calibrationError).toBeCloseTo((sure + halfSure) / 5, 6);
  });

  it('refuses losses that do not fit the labels', () => {
    expect(() => score(['uhae', [1], [1]])).toThrow('label losses expected 2, got 1');
  });
});
