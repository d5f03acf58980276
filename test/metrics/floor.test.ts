import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import { imagesOf } from '../../src/data/example-images.ts';
import { readRows } from '../../src/evaluate/questions.ts';
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

/** As an evaluation reads them: columns found by their names. */
async function rowsOf(file: string) {
  const { rows } = await readRows(
    await openDataset(`${shared}${file}`, { name: 'test' }),
    true,
    (row) => row,
  );
  return rows.flatMap(({ example, questions }) =>
    questions.map(({ text, expected }) => ({
      question: text,
      answer: expected,
      answerType: example.answerType,
      picture: JSON.stringify(imagesOf(example)),
    })),
  );
}

async function floorOf(folder: string, answerType?: string): Promise<number> {
  const guess = blindGuesser(await rowsOf(`${folder}/train.jsonl`));
  const all = await rowsOf(`${folder}/test.jsonl`);
  const rows = all.filter((row) => row.answerType === answerType);
  return rows.filter((row) => exactMatch(guess(row).answer, row.answer)).length / rows.length;
}

describe.skipIf(!existsSync(shared))('on public data (skipped where ../shared is absent)', () => {
  it('the floor of easy-VQA is 66.9 %', async () => {
    expect(await floorOf('easy-vqa')).toBeCloseTo(0.669, 3);
  });

  it('the floor of VQA-RAD is 51.8 % of closed and 8.9 % of open questions', async () => {
    expect(await floorOf('vqa-rad', 'closed')).toBeCloseTo(0.518, 3);
    expect(await floorOf('vqa-rad', 'open')).toBeCloseTo(0.089, 3);
  });

  it('right answers for wrong pictures score near 60 % on easy-VQA', async () => {
    const rows = (await rowsOf('easy-vqa/test.jsonl')).map((row) => ({ ...row, expected: row.answer }));
    const scores = rightForWrongPicture(rows).filter((score) => score !== undefined);
    expect(scores).toHaveLength(rows.length);
    expect(scores.reduce((sum, score) => sum + score, 0) / scores.length).toBeCloseTo(0.6, 1);
  });
});
