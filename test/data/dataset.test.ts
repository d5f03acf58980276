import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import { folderOf, jsonLines } from './folder.ts';

const row = (n: number) => ({ image: `${n}.png`, question: `q${n}`, answer: `a${n}` });
const pictures = Object.fromEntries([0, 1, 2].map((n) => [`${n}.png`, '']));
const open = (folder: string, name: string, options = {}) =>
  openDataset(join(folder, name), { name: 'train', ...options });

const question = async (dataset: Awaited<ReturnType<typeof open>>, index: number) => {
  const part = (await dataset.example(index)).turns[0].content.at(-1)!;
  return part.type === 'text' && part.text;
};

describe('a data file of brackets alone', () => {
  const brackets = (values: number) => `[${'[],'.repeat(values)}0]`;

  it('is refused before it fills the memory, as one array and as a line', async () => {
    const folder = folderOf({ 'a.json': brackets(16_000_000), 'a.jsonl': `{"a":${brackets(4_000_000)}}\n` });
    await expect(open(folder, 'a.json')).rejects.toThrow(
      /a\.json: JSON of at most 16000000 values expected, got more/,
    );
    await expect(open(folder, 'a.jsonl')).rejects.toThrow(
      /a\.jsonl:1, row 0: JSON of at most 4000000 values/,
    );
  });

  it('is not taken for one where they stand in a text', async () => {
    const row = { image: '0.png', question: `[,{"\\${'[,'.repeat(2_050_000)}`, answer: 'a' };
    const dataset = await open(folderOf({ ...pictures, 'a.jsonl': [row] }), 'a.jsonl');
    expect(await question(dataset, 0)).toBe(row.question);
  });
});

describe('a data file', () => {
  it.each([
    ['lines', jsonLines([row(0), row(1), row(2)])],
    ['lines without a last break', jsonLines([row(0), row(1), row(2)]).trimEnd()],
    ['lines with CRLF', jsonLines([row(0), row(1), row(2)]).replaceAll('\n', '\r\n')],
    ['lines with a byte order mark', `\uFEFF${jsonLines([row(0), row(1), row(2)])}`],
    [
      'lines with blank ones between',
      `\n \t\n${jsonLines([row(0)])}\r\n\n${jsonLines([row(1), row(2)])}\n\n`,
    ],
    ['an array', JSON.stringify([row(0), row(1), row(2)])],
    ['an array over lines, with a mark', `\uFEFF\n${JSON.stringify([row(0), row(1), row(2)], null, 2)}\n`],
  ])('of %s gives its rows, whatever its extension', async (_, text) => {
    const folder = folderOf({ ...pictures, 'a.json': text, 'a.jsonl': text });
    for (const name of ['a.json', 'a.jsonl']) {
      const dataset = await open(folder, name);
      expect(dataset.length).toBe(3);
      expect(dataset.sha256).toBe(createHash('sha256').update(text).digest('hex'));
      expect(await question(dataset, 2)).toBe('q2');
      expect(await question(dataset, 0)).toBe('q0');
      expect((await dataset.example(1)).row).toBe(1);
    }
  });

  it('is found whole across the chunks it is read in', async () => {
    const rows = Array.from({ length: 3000 }, (_, n) => ({
      ...row(n % 3),
      question: `${n}:${'ü'.repeat(n % 701)}`,
    }));
    const dataset = await open(folderOf({ ...pictures, 'a.jsonl': rows }), 'a.jsonl');
    expect(dataset.length).toBe(3000);
    for (const n of [0, 1499, 1500, 2999]) expect(await question(dataset, n)).toBe(rows[n].question);
  });

  it('says what it found, and what it guessed', async () => {
    const folder = folderOf({
      ...pictures,
      'a.jsonl': [{ image_id: 1, instruction: 'q', answer: 'a', stage: 2 }],
    });
    const dataset = await open(folder, 'a.jsonl');
    expect(dataset.form).toBe('flat');
    expect(dataset.guessed).toEqual(['image', 'question', 'answer', 'type']);
    expect(dataset.notes).toEqual([
      `train: ${join(folder, 'a.jsonl')}, 1 rows of the form image, question, answer`,
      'train: columns guessed from their names: { image: image_id, question: instruction, type: stage } (data.fields sets them)',
    ]);
  });

  it('with a broken line names file, line and row, and only when that row is read', async () => {
    const text = `\n${jsonLines([row(0)])}{"image": "1.png", \n${jsonLines([row(2)])}`;
    const folder = folderOf({ ...pictures, 'a.jsonl': text });
    const dataset = await open(folder, 'a.jsonl');
    await expect(dataset.example(1)).rejects.toMatchObject({
      code: 'data',
      place: { file: join(folder, 'a.jsonl'), line: 3, row: 1 },
      message: expect.stringContaining(`${join(folder, 'a.jsonl')}:3, row 1: JSON expected`),
    });
    expect(await question(dataset, 2)).toBe('q2');
    expect(dataset.place(2)).toEqual({ file: join(folder, 'a.jsonl'), line: 4, row: 2 });
  });

  it('with broken UTF-8 says so', async () => {
    const bytes = Buffer.concat([Buffer.from(jsonLines([row(0)])), Buffer.from([0x22, 0xff, 0x22, 0x0a])]);
    const dataset = await open(folderOf({ ...pictures, 'a.jsonl': bytes }), 'a.jsonl');
    await expect(dataset.example(1)).rejects.toThrow(/a.jsonl:2, row 1: UTF-8 expected/);
  });

  it('that shrank since it was opened says so', async () => {
    const folder = folderOf({ ...pictures, 'a.jsonl': [row(0), row(1)] });
    const dataset = await open(folder, 'a.jsonl');
    truncateSync(join(folder, 'a.jsonl'), 60);
    await expect(dataset.example(1)).rejects.toThrow(/expected where it was at the start/);
  });

  it.each([
    ['no file', undefined, /no such file/],
    ['an empty file', '', /at least one row expected, got none/],
    ['blank lines', '\n \n', /at least one row/],
    ['an empty array', '[]', /at least one row/],
    ['a broken array', '[{"a": 1},\n{"a": ]', /a.json:2: JSON expected/],
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), /UTF-8 expected, got UTF-16/],
    ['no JSON', 'image,question,answer\n', /a.json:1, row 0: JSON expected/],
    ['rows that are no objects', '1\n2\n', /rows expected as objects/],
    [
      'unknown columns',
      '{"picture_file": "a", "ask": "b"}',
      /got picture_file, ask: no image, no question, no answer/,
    ],
    [
      'no image column',
      '{"question": "a", "answer": "b", "pic": "c"}',
      /no image\..*data.fields: \{ image: \.\.\. \}/,
    ],
    [
      'rows inside an object',
      '{"data": [{"image": "a", "question": "b", "answer": "c"}]}',
      /one object whose data holds a list/,
    ],
  ])('with %s is refused', async (_, content, message) => {
    const folder = folderOf(content === undefined ? {} : { 'a.json': content });
    await expect(open(folder, 'a.json')).rejects.toMatchObject({
      code: 'data',
      message: expect.stringMatching(message),
    });
  });

  it('of another kind, or a folder, is refused', async () => {
    const folder = folderOf({ 'a.csv': 'image,question,answer\n' });
    await expect(open(folder, 'a.csv')).rejects.toThrow(/expected, got \.csv\. .*orient="records"/);
    await expect(open(folder, '.')).rejects.toThrow('a data file expected, got a folder');
  });

  it('has rows from 0 to its length', async () => {
    const dataset = await open(folderOf({ ...pictures, 'a.jsonl': [row(0)] }), 'a.jsonl');
    for (const index of [-1, 1, 0.5])
      await expect(dataset.example(index)).rejects.toThrow(/a row from 0 to 0 expected/);
  });

  it('reads rows by their own names only', async () => {
    const text =
      '{"image":"0.png","question":"q","answer":"a","__proto__":{"system":"x"},"constructor":"c"}\n';
    const folder = folderOf({ ...pictures, 'a.jsonl': text });
    expect((await (await open(folder, 'a.jsonl')).example(0)).turns).toHaveLength(2);
    expect(Object.prototype).not.toHaveProperty('system');
    await expect(open(folder, 'a.jsonl', { fields: { answer: 'toString' } })).rejects.toThrow(
      /data.fields.answer expected a column of the rows, got "toString"; the rows have image, question/,
    );
  });

  it('keeps one form through all its rows', async () => {
    const folder = folderOf({
      ...pictures,
      'a.jsonl': [{ messages: [] }, row(0)],
      'b.jsonl': [row(0), { messages: [] }],
    });
    await expect((await open(folder, 'a.jsonl')).example(1)).rejects.toThrow(
      /a.jsonl:2, row 1: column messages expected/,
    );
    await expect((await open(folder, 'b.jsonl')).example(1)).rejects.toThrow(
      /column question expected text, got nothing/,
    );
  });
});

describe('images', () => {
  it('are looked for beside the data file, or in the folder that is given', async () => {
    const folder = folderOf({ 'in/0.png': '', 'pictures/0.png': '', 'in/a.jsonl': [row(0)] });
    const first = async (options: object) =>
      (await (await open(folder, 'in/a.jsonl', options)).example(0)).turns[0].content[0];
    expect(await first({})).toEqual({ type: 'image', image: { path: join(folder, 'in/0.png') } });
    const images = join(folder, 'pictures');
    expect(await first({ images })).toEqual({ type: 'image', image: { path: join(images, '0.png') } });
  });

  it('that are not there name the row and the path tried', async () => {
    const folder = folderOf({ 'a.jsonl': [row(0), { ...row(1), image: 'folder' }], 'folder/x.png': '' });
    const dataset = await open(folder, 'a.jsonl');
    await expect(dataset.example(0)).rejects.toMatchObject({
      code: 'image',
      place: { row: 0, line: 1 },
      message: expect.stringContaining(join(folder, '0.png')),
    });
    await expect(dataset.example(1)).rejects.toThrow(/got something that is not a file/);
    writeFileSync(join(folder, '0.png'), '');
    await dataset.example(0);
  });
});

describe('system texts', () => {
  const system = async (content: object, configured?: string) => {
    const folder = folderOf({ ...pictures, 'a.jsonl': [content] });
    const { turns } = await (await open(folder, 'a.jsonl', { system: configured })).example(0);
    return turns.filter(({ role }) => role === 'system').map((turn) => turn.content);
  };
  const text = (value: string) => [{ type: 'text', text: value }];
  const chat = (...before: object[]) => ({
    messages: [...before, { role: 'user', content: 'q' }, { role: 'assistant', content: 'a' }],
  });

  it('come from the row, else from the config, else from the template', async () => {
    expect(await system(row(0))).toEqual([]);
    expect(await system(row(0), 'config')).toEqual([text('config')]);
    expect(await system({ ...row(0), system: 'row' }, 'config')).toEqual([text('row')]);
    expect(await system(chat({ role: 'system', content: 'turn' }), 'config')).toEqual([text('turn')]);
    expect(await system(chat(), 'config')).toEqual([text('config')]);
  });

  it('stand once', async () => {
    await expect(system({ ...chat({ role: 'system', content: 'turn' }), system: 'row' })).rejects.toThrow(
      /one system text/,
    );
    await expect(system({ ...row(0), system: 3 })).rejects.toThrow(/column system expected text, got 3/);
  });
});
