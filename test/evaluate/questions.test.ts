import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import { exchangePictures } from '../../src/evaluate/exchange.ts';
import { type AskedRow, pictureSets, readRows, withPictures } from '../../src/evaluate/questions.ts';
import { turnLosses } from '../../src/evaluate/turn-losses.ts';
import { folderOf } from '../data/folder.ts';

const pictures = { 'a.png': '', 'b.png': '', 'c.png': '', 'd.png': '' };

async function read(rows: object[], isStrict = false) {
  const folder = folderOf({ ...pictures, 'rows.jsonl': rows });
  return readRows(await openDataset(join(folder, 'rows.jsonl'), { name: 'test' }), isStrict, (row) => row);
}

const flat = (image: string | string[], question = 'q', answer = 'a', more = {}) => ({
  image,
  question,
  answer,
  ...more,
});

describe('questions of a file', () => {
  it('are every answer of a conversation, each after all that stands before it', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'One?' }] },
      { role: 'assistant', content: 'first' },
      { role: 'user', content: 'Two?' },
      { role: 'assistant', content: 'second' },
    ];
    const { rows } = await read([{ messages, images: ['a.png'], type: 'pair', answer_type: 'open' }]);
    const [{ example, questions }] = rows;
    expect(example).toMatchObject({ type: 'pair', answerType: 'open' });
    expect(questions.map(({ turn, text, expected }) => [turn, text, expected])).toEqual([
      [0, 'One?', 'first'],
      [1, 'Two?', 'second'],
    ]);
    expect(questions[1].prompt.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
  });

  it('leave out rows that cannot be read, by name, or stop at the first', async () => {
    const rows = [flat('a.png'), flat('a.png', 'q', ''), { question: 'q', answer: 'a' }];
    const { rows: good, lost } = await read(rows);
    expect(good.map(({ example }) => example.row)).toEqual([0]);
    expect(lost.map(({ row }) => row)).toEqual([1, 2]);
    expect(lost[0].reason).toContain('rows.jsonl:2, row 1');
    await expect(read(rows, true)).rejects.toMatchObject({ code: 'data', place: { row: 1 } });
  });

  it('stand together where they are about the same pictures in the same order', async () => {
    const { rows } = await read([
      flat('a.png'),
      flat(['a.png', 'b.png']),
      flat('a.png'),
      flat(['b.png', 'a.png']),
      flat([]),
      flat([]),
    ]);
    const sets = pictureSets(rows).map(({ rows }) => rows.map(({ example }) => example.row));
    expect(sets).toEqual([[0, 2], [1], [3], [4], [5]]);
  });

  it('are told apart by the names of pictures that a row holds, never by spelling out their bytes', () => {
    const bytes = Object.assign(new Uint8Array(3), {
      toJSON: () => {
        throw new Error('bytes were spelled out');
      },
    });
    const about = (row: number, held: string): AskedRow => ({
      example: { row, turns: [{ role: 'user', content: [{ type: 'image', image: { held, bytes } }] }] },
      questions: [],
    });
    const sets = pictureSets([about(0, 'one'), about(1, 'two'), about(2, 'one')]);
    expect(sets.map(({ rows }) => rows.map(({ example }) => example.row))).toEqual([[0, 2], [1]]);
  });

  it('are put about other pictures in the places of their own', async () => {
    const { rows } = await read([flat(['a.png', 'b.png'], 'Which?')]);
    const [{ questions }] = rows;
    const [turn] = withPictures(questions[0].prompt, [{ path: 'c' }, { path: 'd' }]);
    expect(turn.content).toEqual([
      { type: 'image', image: { path: 'c' } },
      { type: 'image', image: { path: 'd' } },
      { type: 'text', text: 'Which?' },
    ]);
  });
});

describe('pictures that are exchanged', () => {
  it('are others, as many as the row has; rows without any have no part', async () => {
    const { rows } = await read([
      flat('a.png'),
      flat('b.png'),
      flat('c.png'),
      flat(['a.png', 'b.png']),
      flat([]),
      flat([]),
    ]);
    const sets = pictureSets(rows);
    const guests = exchangePictures(sets, 1);
    const numberOf = (set: (typeof sets)[number]) => set.rows[0].example.row;
    const pairs = [...guests].map(([host, guest]) => [numberOf(host), numberOf(guest)]);
    expect(pairs.map(([host]) => host).sort()).toEqual([0, 1, 2]);
    expect(pairs.map(([, guest]) => guest).sort()).toEqual([0, 1, 2]);
    for (const [host, guest] of pairs) expect(host).not.toBe(guest);
  });

  it('come from another group where there is one', async () => {
    const { rows } = await read(
      ['a.png', 'b.png', 'c.png', 'd.png'].map((image, i) =>
        flat(image, 'q', 'a', { group: i % 2 ? 'x' : 'y' }),
      ),
    );
    for (let seed = 0; seed < 10; seed++)
      for (const [host, guest] of exchangePictures(pictureSets(rows), seed))
        expect(host.rows[0].example.group).not.toBe(guest.rows[0].example.group);
  });
});

describe('losses by answer', () => {
  it('are the sums over runs of neighbouring label tokens', () => {
    const row = {
      positions: Int32Array.of(4, 5, 6, 10, 11),
      losses: Float32Array.of(1, 2, 4, 0.5, 0.25),
    };
    expect(turnLosses(row)).toEqual([
      { loss: 7, tokens: 3 },
      { loss: 0.75, tokens: 2 },
    ]);
  });
});
