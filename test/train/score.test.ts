import { describe, expect, it } from 'vitest';
import { addSample, emptyTally, scoreOf } from '../../src/train/score.ts';
import { encodedRow } from './bigram.ts';

function score(...samples: [kinds: string, losses: number[], hits: number[]][]) {
  const tally = emptyTally();
  for (const [kinds, losses, hits] of samples) {
    const encoded = encodedRow(0, [...kinds].map(Number), kinds);
    addSample(tally, encoded, { losses: Float32Array.from(losses), hits: Uint8Array.from(hits) });
  }
  return scoreOf(tally);
}

describe('score', () => {
  it('weighs tokens, not samples', () => {
    const result = score(['uhae', [1, 2], [1, 0]], ['uhaaae', [3, 4, 5, 6], [0, 1, 1, 1]]);
    expect(result).toEqual({
      loss: 21 / 6,
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

  it('refuses losses that do not fit the labels', () => {
    expect(() => score(['uhae', [1], [1]])).toThrow('label losses expected 2, got 1');
  });
});
