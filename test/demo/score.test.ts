import { describe, expect, it } from 'vitest';
import { accuracy, floor, shufflePictures } from '../../demo/score.ts';

describe('accuracy', () => {
  it('counts a missing answer as wrong, and nothing as 0', () => {
    expect(accuracy(['yes'], ['yes', 'no'])).toBe(0.5);
    expect(accuracy([], [])).toBe(0);
  });
});

describe('floor', () => {
  const training = [
    { question: 'How many?', answer: '2' },
    { question: 'How many?', answer: '1' },
    { question: 'How many?', answer: '3' },
    { question: 'How many?', answer: '3' },
    { question: 'Where?', answer: 'left' },
    { question: 'Where?', answer: 'centre' },
    { question: 'Which?', answer: '2' },
  ];

  it('is the share of rows that the guesses get right', () => {
    expect(floor(training, training)).toBeCloseTo(4 / 7);
  });
});

describe('shufflePictures', () => {
  const groups = ['a', 'a', 'b', 'c', 'c', 'c', 'd'];

  it('gives every row a picture of another group, the same way for the same seed', () => {
    const from = shufflePictures(groups, 3);
    from.forEach((source, row) => {
      expect(groups[source]).not.toBe(groups[row]);
    });
    expect(shufflePictures(groups, 3)).toEqual(from);
  });

  it('gives all rows of a group one picture, and every picture to one group', () => {
    const from = shufflePictures(groups, 4).map((source) => groups[source]);
    expect(from[0]).toBe(from[1]);
    expect(new Set(from)).toEqual(new Set(groups));
  });

  it('refuses a single group', () => {
    expect(() => shufflePictures(['a', 'a'], 1)).toThrow('2 or more, got 1');
  });
});
