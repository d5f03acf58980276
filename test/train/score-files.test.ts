import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import type { Example } from '../../src/data/example.ts';
import { type ScoredRow, scoredRow } from '../../src/train/score.ts';
import { describeRows } from '../../src/train/score-files.ts';
import { encodedRow } from './bigram.ts';

const text = (words: string) => ({ type: 'text' as const, text: words });
const example = (row: number): Example => ({
  row,
  type: 'presence',
  group: 'patient 1',
  turns: [
    { role: 'system', content: [text('Be brief.')] },
    { role: 'user', content: [{ type: 'image', image: { path: 'a.png' } }, text('Is there a polyp?')] },
    { role: 'assistant', content: [text('Yes')] },
    { role: 'user', content: [text('Where?')] },
  ],
});
const dataset = { example: async (row: number) => example(row) } as Dataset;
const words = ['<s>', 'u', 'Yes', '.', '<|im_end|>'];
const source = {
  tokenizer: { decode: (ids: Iterable<number>) => [...ids].map((id) => words[id]).join('') },
  datasets: { validation: dataset },
  decode: async () => ({ width: 2, height: 1, data: new Uint8Array(6) }),
};

function scored(row: number, losses: number[], images: string[] = ['a.png']): ScoredRow {
  const encoded = { ...encodedRow(row, [0, 1, 2, 3, 4], 'uhaae'), images: images.map((path) => ({ path })) };
  const { length } = losses;
  const result = {
    losses: Float32Array.from(losses),
    hits: new Uint8Array(length).fill(1),
    top: new Float32Array(length).fill(0.25),
  };
  return scoredRow('validation', encoded, result);
}

async function told(rows: ScoredRow[], changes: Partial<typeof source> = {}) {
  const kept = new Map<string, Uint8Array>();
  const lines = [];
  const keep = async (name: string, jpeg: Uint8Array) => void kept.set(name, jpeg);
  for await (const line of describeRows(rows, 7, { ...source, ...changes }, keep)) lines.push(line);
  return { lines, kept };
}

describe('scored rows as they are kept', () => {
  it('tell themselves: what was asked, and every label token with its text, loss and probability', async () => {
    const { lines, kept } = await told([scored(3, [0.5, 2, 0.1])]);
    expect(lines).toEqual([
      {
        step: 7,
        split: 'validation',
        row: 3,
        type: 'presence',
        group: 'patient 1',
        images: ['a.png'],
        question: 'Is there a polyp?',
        tokens: [
          { text: 'Yes', kind: 'answer', loss: 0.5, hit: true, top: 0.25 },
          { text: '.', kind: 'answer', loss: 2, hit: true, top: 0.25 },
          { text: '<|im_end|>', kind: 'end', loss: 0.1, hit: true, top: 0.25 },
        ],
        picture: 'validation-3.jpg',
      },
    ]);
    expect([...kept.get('validation-3.jpg')!.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  });

  it('keep a few pictures, those of the worst rows among them', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => scored(i, [i === 37 ? 9 : 1, 1, 1]));
    const { lines, kept } = await told(rows);
    expect(lines.length).toBe(100);
    expect(kept.size).toBeGreaterThan(12);
    expect(kept.size).toBeLessThanOrEqual(24);
    expect(kept.has('validation-0.jpg')).toBe(true);
    expect(kept.has('validation-37.jpg')).toBe(true);
    expect(lines.filter(({ picture }) => picture !== undefined).length).toBe(kept.size);
  });

  it('do without a picture that is gone, and without pictures', async () => {
    const gone = async () => {
      throw new Error('gone');
    };
    const { lines, kept } = await told([scored(0, [1, 1, 1]), scored(1, [1, 1, 1], [])], { decode: gone });
    expect(lines.map(({ picture }) => picture)).toEqual([undefined, undefined]);
    expect(kept.size).toBe(0);
  });
});
