import { describe, expect, it } from 'vitest';
import { rightForWrongPicture, wrongPictures } from '../../src/metrics/wrong-pictures.ts';

describe('wrong pictures', () => {
  it('are a derangement, the same for the same seed and another for another', () => {
    const pictures = Array.from({ length: 50 }, (_, i) => `p${i}`);
    const given = wrongPictures(pictures, 3);
    expect([...given].sort((a, b) => a - b)).toEqual(pictures.map((_, i) => i));
    given.forEach((other, own) => {
      expect(other).not.toBe(own);
    });
    expect(wrongPictures(pictures, 3)).toEqual(given);
    expect(wrongPictures(pictures, 4)).not.toEqual(given);
  });

  it('come from another group, the largest one too', () => {
    const groups = ['a', 'b', 'a', 'c', 'a', 'b', 'd', 'c'];
    for (let seed = 0; seed < 20; seed++) {
      const given = wrongPictures(groups, seed);
      expect(new Set(given).size).toBe(groups.length);
      given.forEach((other, own) => {
        expect(groups[other]).not.toBe(groups[own]);
      });
    }
  });

  it('stay a derangement where one group holds more than half', () => {
    for (let seed = 0; seed < 20; seed++) {
      const given = wrongPictures(['a', 'a', 'a', 'b'], seed);
      expect(new Set(given).size).toBe(4);
      given.forEach((other, own) => {
        expect(other).not.toBe(own);
      });
    }
  });

  it('need two pictures', () => {
    expect(() => wrongPictures(['a'], 1)).toThrow('2 or more, got 1');
    expect(wrongPictures(['a', 'a'], 1)).toEqual([1, 0]);
  });
});

describe('right answers for wrong pictures', () => {
  it('score the share of other pictures with the same answer to the same question', () => {
    const rows = [
      { picture: 'a', question: 'Red?', expected: 'yes' },
      { picture: 'b', question: 'red?', expected: 'Yes ' },
      { picture: 'c', question: 'Red?', expected: 'no' },
      { picture: 'c', question: 'Red? ', expected: 'no' }, // asked twice of one picture
      { picture: 'c', question: 'How many?', expected: '2' },
    ];
    // a: of b, c, c one says yes. b: of a, c, c one. c: neither a nor b says no. The last is asked of c alone.
    expect(rightForWrongPicture(rows)).toEqual([1 / 3, 1 / 3, 0, 0, undefined]);
  });
});
