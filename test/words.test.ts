import { describe, expect, it } from 'vitest';
import { count, duration, percent, rate, tokensPerSecond } from '../src/words.ts';

describe('numbers in words', () => {
  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 00 s'],
    [200, '3 min 20 s'],
    [3599.7, '1 h 00 min'],
    [7500, '2 h 05 min'],
    [86_390, '1 d 0 h'],
    [273_600, '3 d 4 h'],
    [-3, '0 s'],
  ])('%d seconds are %s', (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });

  it('counts, shares, rates and speeds', () => {
    expect(count(1, 'row')).toBe('1 row');
    expect(count(38575, 'row')).toBe('38,575 rows');
    expect(percent(0.6693)).toBe('66.9 %');
    expect(rate(5e-6)).toBe('5.00e-6');
    expect(rate(0.1)).toBe('0.1');
    expect(rate(0)).toBe('0');
    expect(tokensPerSecond(1234.5)).toBe('1,230 tokens/s');
  });
});
