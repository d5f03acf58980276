import { describe, expect, it } from 'vitest';
import { startClock } from '../../src/check/clock.ts';
import type { Picture } from '../../src/check/pictures.ts';
import { type SurveyOptions, survey } from '../../src/check/survey.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import type { Encoded, Example, Grid, ImageReference } from '../../src/data/example.ts';
import { LorikeetError } from '../../src/errors.ts';
import type { CheckEvent } from '../../src/train/events.ts';
import { encodedRow } from '../train/bigram.ts';

/** Three rows, each about a picture of its own: `0.png` ... */
const dataset: Dataset = {
  name: 'train',
  file: 'train.jsonl',
  images: '.',
  length: 3,
  form: 'flat',
  sha256: 'abc',
  fields: { image: 'image' },
  guessed: [],
  notes: [],
  place: (row) => ({ file: 'train.jsonl', line: row + 1, row }),
  checkUnchanged: async () => {},
  example: async (row) => ({
    row,
    turns: [{ role: 'user', content: [{ type: 'image', image: { path: `${row}.png` } }] }],
  }),
};

const refusal = (row: number): unknown =>
  new LorikeetError('data', { row, what: 'an answer expected, got none' });

/** Rows in `bad` are refused; the others have 2 + row label tokens and an image of 8 patches. */
const readingFor = (bad: number[], error = refusal) => ({
  encodeWith({ row }: Example, grids: readonly Grid[]): Encoded {
    if (bad.includes(row)) throw error(row);
    const kinds = `u${'a'.repeat(row + 1)}e`;
    return { ...encodedRow(row, [...kinds].map(Number), kinds), grids: [...grids] };
  },
  lookAt: async (image: ImageReference) =>
    ({ grid: [1, 2, 4] as const, content: (image as { path: string }).path }) as Picture,
  guard: (_: Example, __: Encoded) => {},
});

async function run(reading: ReturnType<typeof readingFor>, changes: Partial<SurveyOptions> = {}) {
  const options: SurveyOptions = {
    split: 'train',
    onBadRow: 'stop',
    stopped: () => false,
    clock: startClock(3),
    tallies: [],
    patchLength: 10,
  };
  const pass = survey(dataset, reading, { ...options, ...changes });
  const events: CheckEvent[] = [];
  while (true) {
    const next = await pass.next();
    if (next.done) return { found: next.value, events };
    events.push(next.value);
  }
}

describe('the pass over the data', () => {
  it('counts rows, tokens, labels and pixels', async () => {
    const { found, events } = await run(readingFor([]));
    expect(found.contents).toEqual([['0.png'], ['1.png'], ['2.png']]);
    expect(found.rows).toEqual([0, 1, 2]);
    expect(found.sizes[1]).toEqual({ tokens: 4, labelTokens: 3, pixelBytes: 8 * 10 * 4 });
    expect(found.summary).toMatchObject({ rows: 3, skipped: 0, tokens: 12, labelTokens: 9, longestRow: 5 });
    expect(events).toEqual([]);
  });

  it('hands every row that is used to its tallies, in order', async () => {
    const seen: number[] = [];
    const tally = { add: ({ row }: { row: number }) => void seen.push(row) };
    await run(readingFor([1]), { onBadRow: 'skip', tallies: [tally] });
    expect(seen).toEqual([0, 2]);
  });

  it('stops at a bad row with its file, line and number', async () => {
    await expect(run(readingFor([1]))).rejects.toMatchObject({
      code: 'data',
      place: { file: 'train.jsonl', line: 2, row: 1 },
    });
  });

  it('skips bad rows where it may, and keeps which and why', async () => {
    const { found } = await run(readingFor([0, 2]), { onBadRow: 'skip' });
    expect(found.rows).toEqual([1]);
    expect(found.skipped).toEqual([
      { row: 0, reason: 'train.jsonl:1, row 0: an answer expected, got none.' },
      { row: 2, reason: 'train.jsonl:3, row 2: an answer expected, got none.' },
    ]);
    expect(found.summary).toMatchObject({ rows: 1, skipped: 2 });
    expect(found.refused).toEqual({
      count: 2,
      reasons: [{ reason: 'an answer expected, got none', count: 2, rows: [0, 2] }],
    });
  });

  it('counts the rows that lose their end', async () => {
    const reading = readingFor([]);
    const encodeWith = (example: Example, grids: readonly Grid[]) => ({
      ...reading.encodeWith(example, grids),
      cut: example.row,
    });
    const { found } = await run({ ...reading, encodeWith });
    expect(found.summary).toMatchObject({ rows: 3, cutRows: 2 });
  });

  it('tells of a picture at the row that names it', async () => {
    const broken = async ({ path }: { path: string }): Promise<Picture> => {
      if (path !== '1.png') return { grid: [1, 2, 4] } as unknown as Picture;
      throw new LorikeetError('image', { file: path, what: 'expected a picture, got 0 bytes' });
    };
    const reading = { ...readingFor([]), lookAt: broken as never };
    await expect(run(reading)).rejects.toThrow(
      'train.jsonl:2, row 1: 1.png: expected a picture, got 0 bytes',
    );
    const { found } = await run(reading, { onBadRow: 'skip' });
    expect(found.rows).toEqual([0, 2]);
  });

  it('never skips what is wrong with every row', async () => {
    const template = () => new LorikeetError('tokenizer', { what: 'the template does not end an answer' });
    const pass = run(readingFor([1], template), { onBadRow: 'skip' });
    await expect(pass).rejects.toMatchObject({ code: 'tokenizer' });
    const guard = ({ row }: Example) => {
      if (row === 2) throw template();
    };
    const guarded = run({ ...readingFor([]), guard }, { onBadRow: 'skip' });
    await expect(guarded).rejects.toMatchObject({ code: 'tokenizer', place: { row: 2, line: 3 } });
  });

  it('refuses data of which nothing is left', async () => {
    const pass = run(readingFor([0, 1, 2]), { onBadRow: 'skip' });
    await expect(pass).rejects.toThrow('got none of 3; the first: train.jsonl:1, row 0: an answer expected');
  });

  it('never skips a mistake of its own', async () => {
    const pass = run(
      readingFor([1], () => new TypeError('oops')),
      { onBadRow: 'skip' },
    );
    await expect(pass).rejects.toThrow('oops');
  });

  it('ends at the next row where it is stopped', async () => {
    let asked = 0;
    const { found } = await run(readingFor([]), { stopped: () => ++asked === 2 });
    expect(found.rows).toEqual([0, 1]);
  });
});

describe('the clock of a check', () => {
  it('is silent for two seconds, speaks every half, and says what is left of both splits', () => {
    let time = 0;
    const clock = startClock(1000, () => time);
    const events: [number, CheckEvent][] = [];
    for (let row = 0; row < 400; row++) {
      time += 10;
      const event = clock.tick('train', row + 1, 400);
      if (typeof event === 'object') events.push([time, event]);
    }
    expect(events.map(([at]) => at)).toEqual([2000, 2500, 3000, 3500, 4000]);
    const [, last] = events[4];
    expect(last).toEqual({ type: 'check', split: 'train', rows: 400, totalRows: 400, secondsLeft: 6 });
  });

  it('looks up every 50 milliseconds', () => {
    let time = 0;
    const clock = startClock(1000, () => time);
    const pauses = Array.from({ length: 20 }, () => {
      time += 10;
      return clock.tick('train', 1, 1000);
    });
    expect(pauses.filter((pause) => pause === 'pause')).toHaveLength(4);
  });
});
