import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { crossEntropy } from '../../src/loss.ts';
import { figureWords, lossAndAccuracy } from '../../src/report/glossary.ts';

/** The loss of a token said with probability p, by the library's own cross-entropy. */
const costOf = (p: number) => crossEntropy([[Math.log(p), Math.log(1 - p)]], [0]).loss;

describe('the words', () => {
  it('on loss and accuracy have the numbers that the loss gives', () => {
    expect(lossAndAccuracy.same).toContain(`0.95 cost ${costOf(0.95).toFixed(2)} each`);
    expect(lossAndAccuracy.same).toContain(`with 0.6 cost ${costOf(0.6).toFixed(2)}`);
    expect(lossAndAccuracy.wrong).toContain(`-ln 0.2 = ${costOf(0.2).toFixed(2)}`);
  });

  it('on guessing know ln V', () => {
    expect(figureWords.uniform).toContain(`${Math.log(151_936).toFixed(2)} for 151,936 words`);
  });

  it('stand in docs/report.md as they are shown', () => {
    const text = readFileSync(new URL('../../docs/report.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');
    expect(text).toContain(lossAndAccuracy.short);
    expect(text).toContain(lossAndAccuracy.same);
    expect(text).toContain(lossAndAccuracy.wrong.split(': a lot')[0]);
  });
});
