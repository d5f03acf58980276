import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { blindGuesser } from '../../src/metrics/floor.ts';
import { exactMatch } from '../../src/metrics/match.ts';
import { rightForWrongPicture } from '../../src/metrics/wrong-pictures.ts';

const training = [
  { question: 'How many?', answer: '2', answerType: 'open' },
  { question: 'How many?', answer: '1', answerType: 'open' },
  { question: 'How many?', answer: '3', answerType: 'open' },
  { question: 'how many? ', answer: '3', answerType: 'open' },
  { question: 'Where?', answer: 'left', answerType: 'open' },
  { question: 'Where?', answer: 'Centre', answerType: 'open' },
  { question: 'Is it?', answer: 'no', answerType: 'closed' },
];

describe('the blind guess', () => {
  const guess = blindGuesser(training);

  it('is the commonest answer to the question, the first in the alphabet where tied', () => {
    expect(guess({ question: ' HOW many?' })).toEqual({ answer: '3', from: 'question' });
    expect(guess({ question: 'Where?' })).toEqual({ answer: 'centre', from: 'question' });
  });

  it('is the commonest of the answer type for a question never seen, else of all', () => {
    expect(guess({ question: 'Was it?', answerType: 'closed' })).toEqual({
      answer: 'no',
      from: 'answerType',
    });
    expect(guess({ question: 'Was it?', answerType: 'other' })).toEqual({ answer: '3', from: 'all' });
    expect(guess({ question: 'Was it?' })).toEqual({ answer: '3', from: 'all' });
  });

  it('needs training rows', () => {
    expect(() => blindGuesser([])).toThrow(RangeError);
  });
});

const shared = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

interface SharedRow {
  image: string;
  question: string;
  answer: string;
  answerType?: string;
}

const rowsOf = (file: string): SharedRow[] =>
  readFileSync(`${shared}${file}`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

function floorOf(folder: string, isAsked = (_: SharedRow) => true): number {
  const guess = blindGuesser(rowsOf(`${folder}/train.jsonl`));
  const rows = rowsOf(`${folder}/test.jsonl`).filter(isAsked);
  return rows.filter((row) => exactMatch(guess(row).answer, row.answer)).length / rows.length;
}

describe.skipIf(!existsSync(shared))('on public data (skipped where ../shared is absent)', () => {
  it('the floor of easy-VQA is 66.9 %', () => {
    expect(floorOf('easy-vqa')).toBeCloseTo(0.669, 3);
  });

  it('the floor of VQA-RAD is 51.8 % of closed and 8.9 % of open questions', () => {
    expect(floorOf('vqa-rad', ({ answerType }) => answerType === 'closed')).toBeCloseTo(0.518, 3);
    expect(floorOf('vqa-rad', ({ answerType }) => answerType === 'open')).toBeCloseTo(0.089, 3);
  });

  it('right answers for wrong pictures score near 60 % on easy-VQA', () => {
    const rows = rowsOf('easy-vqa/test.jsonl').map(({ image, question, answer }) => ({
      picture: image,
      question,
      expected: answer,
    }));
    const scores = rightForWrongPicture(rows).filter((score) => score !== undefined);
    expect(scores).toHaveLength(rows.length);
    expect(scores.reduce((sum, score) => sum + score, 0) / scores.length).toBeCloseTo(0.6, 1);
  });
});
