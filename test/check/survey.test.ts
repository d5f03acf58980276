import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import type { Example } from '../../src/data/example.ts';
import { LorikeetError } from '../../src/errors.ts';
import type { TrainEvent } from '../../src/train/events.ts';
import { type SurveyOptions, survey } from '../../src/train/survey.ts';
import { encodedRow } from './bigram.ts';

const dataset: Dataset = {
  name: 'train',
  file: 'train.jsonl',
  length: 3,
  form: 'flat',
  sha256: 'abc',
  fields: { image: 'image' },
  guessed: [],
  notes: [],
  place: (row) => ({ file: 'train.jsonl', line: row + 1, row }),
  example: async (row) => ({ row, turns: [] }),
};

/** Rows in `bad` are refused; the others have 2 + row label tokens and an image of 8 patches. */
const encoderFor = (bad: number[], error: (row: number) => unknown = refusal) => ({
  patchLength: 10,
  encode: async ({ row }: Example) => {
    if (bad.includes(row)) throw error(row);
    const kinds = `u${'a'.repeat(row + 1)}e`;
    return { ...encodedRow(row, [...kinds].map(Number), kinds), grids: [[1, 2, 4]] as const as never };
  },
});
const refusal = (row: number) => new LorikeetError('data', { row, what: 'an answer expected, got none' });

const options: SurveyOptions = { split: 'train', onBadRow: 'stop', stopped: () => false };

async function run(encoder: ReturnType<typeof encoderFor>, changes: Partial<SurveyOptions> = {}) {
  const pass = survey(dataset, encoder, { ...options, ...changes });
  const events: TrainEvent[] = [];
  while (true) {
    const next = await pass.next();
    if (next.done) return { found: next.value, events };
    events.push(next.value);
  }
}

describe('the pass over the data', () => {
  it('counts rows, tokens, labels and pixels', async () => {
    const { found, events } = await run(encoderFor([]));
    expect(found.rows).toEqual([0, 1, 2]);
    expect(found.sizes[1]).toEqual({ tokens: 4, labelTokens: 3, pixelBytes: 8 * 10 * 4 });
    expect(found.summary).toMatchObject({ rows: 3, skipped: 0, tokens: 12, labelTokens: 9, longestRow: 5 });
    expect(events).toEqual([]);
  });

  it('stops at a bad row with its file, line and number', async () => {
    await expect(run(encoderFor([1]))).rejects.toMatchObject({
      code: 'data',
      place: { file: 'train.jsonl', line: 2, row: 1 },
    });
  });

  it('skips bad rows where it may, and says how many and why', async () => {
    const { found, events } = await run(encoderFor([0, 2]), { onBadRow: 'skip' });
    expect(found.rows).toEqual([1]);
    expect(found.skipped.map(({ row }) => row)).toEqual([0, 2]);
    expect(found.summary).toMatchObject({ rows: 1, skipped: 2 });
    expect(events).toEqual([
      { type: 'notice', text: expect.stringContaining('2 of 3 train rows are skipped') },
    ]);
  });

  it('says how many rows lose their end', async () => {
    const encoder = encoderFor([]);
    const encode = async (example: Example) => ({ ...(await encoder.encode(example)), cut: example.row });
    const { found, events } = await run({ ...encoder, encode });
    expect(found.summary).toMatchObject({ rows: 3, cutRows: 2 });
    expect(events).toEqual([
      { type: 'notice', text: expect.stringContaining('2 of 3 train rows are longer than data.maxLength') },
    ]);
  });

  it('tells of a picture at the row that names it', async () => {
    const broken = () =>
      new LorikeetError('image', { file: 'a.png', what: 'expected a picture, got 0 bytes' });
    await expect(run(encoderFor([1], broken))).rejects.toThrow(
      'train.jsonl:2, row 1: a.png: expected a picture, got 0 bytes',
    );
  });

  it('never skips what is wrong with every row', async () => {
    const template = () => new LorikeetError('tokenizer', { what: 'the template does not end an answer' });
    const pass = run(encoderFor([1], template), { onBadRow: 'skip' });
    await expect(pass).rejects.toMatchObject({ code: 'tokenizer' });
  });

  it('refuses data of which nothing is left', async () => {
    const pass = run(encoderFor([0, 1, 2]), { onBadRow: 'skip' });
    await expect(pass).rejects.toThrow('got none of 3; the first: train.jsonl:1, row 0: an answer expected');
  });

  it('never skips a mistake of its own', async () => {
    const pass = run(
      encoderFor([1], () => new TypeError('oops')),
      { onBadRow: 'skip' },
    );
    await expect(pass).rejects.toThrow('oops');
  });
});
