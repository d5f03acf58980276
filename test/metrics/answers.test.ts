import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bleu1, isLong, rougeL, wordsOf } from '../../src/metrics/long-answers.ts';
import { answerKind, exactMatch, numberMatch, numberOf } from '../../src/metrics/match.ts';
import { squadWords, tokenF1 } from '../../src/metrics/token-f1.ts';

interface Reference {
  predicted: string;
  expected: string;
  f1: number;
  rougeL: number;
  bleu1: number;
}

/** By reference/make_metrics.py: torchmetrics and nltk. */
const references: Reference[] = JSON.parse(
  readFileSync(new URL('../fixtures/metrics.json', import.meta.url), 'utf8'),
);

describe('scores of answers', () => {
  it.each(references)('agree with the references on "$predicted" for "$expected"', (row) => {
    expect(tokenF1(row.predicted, row.expected)).toBeCloseTo(row.f1, 6);
    expect(rougeL(row.predicted, row.expected)).toBeCloseTo(row.rougeL, 6);
    expect(bleu1(row.predicted, row.expected)).toBeCloseTo(row.bleu1, 9);
  });

  it('are 0 for an answer without a word', () => {
    for (const metric of [tokenF1, rougeL, bleu1]) expect(metric(' ...', 'two polyps')).toBe(0);
  });

  it('read words of other scripts', () => {
    expect(wordsOf('Übermäßig, ja: 2 Polypen')).toEqual(['übermäßig', 'ja', '2', 'polypen']);
    expect(squadWords('là, a thé')).toEqual(['là', 'thé']);
    expect(tokenF1('zwei Polypen', 'Zwei Polypen.')).toBe(1);
  });

  it('call an answer long from five words on', () => {
    expect(isLong('in the upper left')).toBe(false);
    expect(isLong('in the upper left corner')).toBe(true);
  });
});

describe('exact match', () => {
  it('forgives case and outer blanks, and nothing else', () => {
    expect(exactMatch(' Yes\n', 'yes')).toBe(true);
    expect(exactMatch('yes.', 'yes')).toBe(false);
    expect(exactMatch('upper  left', 'upper left')).toBe(false);
    expect(exactMatch('', 'yes')).toBe(false);
  });

  it('does not take "no" inside a sentence for the answer "no"', () => {
    expect(exactMatch('No, there is no polyp.', 'no')).toBe(false);
    expect(exactMatch('normal', 'no')).toBe(false);
  });
});

describe('kinds of answers', () => {
  it.each([
    ['Yes', 'yesNo'],
    [' no ', 'yesNo'],
    ['no polyp', 'other'],
    ['12', 'number'],
    ['-0.5', 'number'],
    ['5 mm', 'other'],
    ['1e3', 'other'],
    ['', 'other'],
  ])('tell %j for %s', (answer, kind) => {
    expect(answerKind(answer)).toBe(kind);
  });

  it('compare numbers by their value, and only whole answers', () => {
    expect(numberMatch('3.0', '3')).toBe(true);
    expect(numberMatch('03', '3')).toBe(true);
    expect(numberMatch('3 polyps', '3')).toBe(false);
    expect(numberMatch('three', '3')).toBe(false);
    expect(numberMatch('three', 'three')).toBe(false);
    expect(numberOf('1.')).toBeUndefined();
  });
});
