import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/dataset.ts';
import type { Example } from '../../../src/data/example.ts';
import { nameInFolder } from '../../../src/data/image/source.ts';
import type { Fields } from '../../../src/data/rows/fields.ts';
import { folderOf, jsonLines } from '../folder.ts';

const files = { 'a.png': '', 'b.png': '', 'sub/c.jpg': '', '17.jpeg': '', plain: '' };

async function open(rows: unknown[], fields?: Partial<Fields>) {
  const folder = folderOf({ ...files, 'rows.jsonl': rows });
  return { folder, dataset: await openDataset(join(folder, 'rows.jsonl'), { name: 'train', fields }) };
}

/** Turns in short: `user:[a.png]text`. */
function told(example: Example, folder: string): string[] {
  return example.turns.map(({ role, content }) => {
    const parts = content.map((part) => {
      if (part.type === 'text') return part.text;
      return `[${nameInFolder(part.image, folder)}]`;
    });
    return `${role}:${parts.join('')}`;
  });
}

async function read(row: unknown, fields?: Partial<Fields>): Promise<string[]> {
  const { folder, dataset } = await open([row], fields);
  return told(await dataset.example(0), folder);
}

async function formOf(row: unknown): Promise<string> {
  return (await open([row])).dataset.form;
}

const flat = { image: 'a.png', question: ' Is it? ', answer: 'Yes' };
const png = 'data:image/png;base64,AAAA';

describe('flat rows', () => {
  it('are the image, then the question, nothing between', async () => {
    expect(await formOf(flat)).toBe('flat');
    expect(await read(flat)).toEqual(['user:[a.png] Is it? ', 'assistant:Yes']);
    expect(await read({ ...flat, question: '<image>\nIs it?' })).toEqual([
      'user:[a.png]<image>\nIs it?',
      'assistant:Yes',
    ]);
  });

  it.each([
    'image_path',
    'image_filename',
    'imagePath',
    'img_path',
    'Image',
    'image_file',
    'file_name',
    'image_id',
  ])('find their image under %s', async (name) => {
    expect(await read({ [name]: 'a.png', instruction: 'q', response: 'a' })).toEqual([
      'user:[a.png]q',
      'assistant:a',
    ]);
  });

  it('prefer the more telling name, and the one that is given', async () => {
    const row = { image_id: 'b', image_path: 'a.png', Question: 'q', answer: 'a', caption: 'c' };
    expect(await read(row)).toEqual(['user:[a.png]q', 'assistant:a']);
    expect(await read(row, { image: 'image_id', answer: 'caption' })).toEqual([
      'user:[b.png]q',
      'assistant:c',
    ]);
  });

  it('try the usual extensions for an id', async () => {
    expect(await read({ image_id: 17, question: 'q', answer: 'a' })).toEqual([
      'user:[17.jpeg]q',
      'assistant:a',
    ]);
    expect(await read({ image_id: 'sub/c', question: 'q', answer: 'a' })).toEqual([
      'user:[sub/c.jpg]q',
      'assistant:a',
    ]);
    expect(await read({ ...flat, image: 'plain' })).toEqual(['user:[plain] Is it? ', 'assistant:Yes']);
    await expect(read({ ...flat, image: 'none' })).rejects.toThrow(
      /none or .*none\.jpg or .*none\.jpeg or .*none\.png, got/,
    );
  });

  it('hold several images, or an empty list of them', async () => {
    expect(await read({ images: ['a.png', 'b.png'], question: 'q', answer: 'a' })).toEqual([
      'user:[a.png][b.png]q',
      'assistant:a',
    ]);
    const { folder, dataset } = await open([flat, { ...flat, image: [] }]);
    expect(told(await dataset.example(1), folder)[0]).toBe('user: Is it? ');
  });

  it('take numbers that are exact', async () => {
    expect(await read({ ...flat, answer: 3 })).toEqual(['user:[a.png] Is it? ', 'assistant:3']);
    await expect(read({ ...flat, answer: 0.5 })).rejects.toThrow(/column answer expected text, got 0.5/);
    await expect(read({ ...flat, answer: true })).rejects.toThrow(/got true/);
  });

  it('carry a type and a group', async () => {
    const { dataset } = await open([{ ...flat, question_type: ['size', 'count'], patient_id: 12, stage: 1 }]);
    expect(dataset.fields).toMatchObject({ type: 'question_type', group: 'patient_id' });
    expect(await dataset.example(0)).toMatchObject({ type: 'size, count', group: '12' });
    expect((await open([{ ...flat, questionType: 'PRES' }])).dataset.fields.type).toBe('questionType');
    expect((await open([{ ...flat, stage: 'a' }])).dataset.fields.type).toBe('stage');
    expect((await open([{ ...flat, kind: 'a' }], { type: 'kind' })).dataset.guessed).not.toContain('type');
  });

  it.each([
    ['an empty answer', { ...flat, answer: '' }, /turn 1 \(assistant\) expected text, got an empty one/],
    ['a blank answer', { ...flat, answer: ' \n' }, /white space/],
    ['no answer', { ...flat, answer: null }, /column answer expected text, got nothing\. Fill it/],
    ['many answers', { ...flat, answer: ['a', 'b'] }, /expected text, got a list of 2\. Write one text/],
    [
      'a row of another form',
      { messages: [{ role: 'user', content: 'a' }] },
      /got nothing in a row with messages\. All rows of a file have one form/,
    ],
    ['no image', { ...flat, image: null }, /an image expected as a path, got nothing/],
    ['an empty image', { ...flat, image: '' }, /an image expected as a path, got ""/],
    ['half a character', { ...flat, answer: 'a\ud800' }, /surrogate/],
  ])('with %s are bad', async (_, row, message) => {
    const { dataset } = await open([flat, row]);
    await expect(dataset.example(1)).rejects.toMatchObject({
      code: 'data',
      place: { line: 2, row: 1 },
      message: expect.stringMatching(message),
    });
  });
});

const ask = (...content: unknown[]) => ({ role: 'user', content });
const answer = { role: 'assistant', content: 'Yes' };
const text = (value: string) => ({ type: 'text', text: value });

describe('messages with images beside them', () => {
  const row = { messages: [ask({ type: 'image' }, text('q')), answer], images: ['a.png'] };

  it('put them where the placeholders stand', async () => {
    expect(await formOf(row)).toBe('messagesImages');
    expect(await read(row)).toEqual(['user:[a.png]q', 'assistant:Yes']);
    const two = {
      messages: [ask({ type: 'image' }, text('q')), answer, ask(text('r'), { type: 'image' }), answer],
      images: ['b.png', 'a.png'],
    };
    expect(await read(two)).toEqual(['user:[b.png]q', 'assistant:Yes', 'user:r[a.png]', 'assistant:Yes']);
  });

  it('take nulls for absent, as exports write them', async () => {
    const parts = [
      { type: 'image', text: null, image: null, index: 0 },
      { type: 'text', text: 'q', image: null, index: null },
    ];
    const exported = {
      messages: [ask(...parts), answer],
      images: [{ bytes: null, path: 'a.png' }],
      system: null,
    };
    expect(await read(exported)).toEqual(['user:[a.png]q', 'assistant:Yes']);
  });

  it('put them where <image> stands in a user text, and leave the rest of it alone', async () => {
    const marked = (content: unknown, images: unknown) => ({
      messages: [{ role: 'user', content }, answer],
      images,
    });
    expect(await read(marked('<image>\nWhat?', ['a.png']))).toEqual(['user:[a.png]\nWhat?', 'assistant:Yes']);
    expect(await read(marked('A <image> B<image>', ['a.png', 'b.png']))).toEqual([
      'user:A [a.png] B[b.png]',
      'assistant:Yes',
    ]);
    expect(await read(marked([text('<image>'), text('q')], 'a.png'))).toEqual([
      'user:[a.png]q',
      'assistant:Yes',
    ]);
  });

  it('leave <image> alone where image parts stand, and in what others say', async () => {
    const typed = {
      messages: [ask({ type: 'image' }, text('an <image> tag')), { role: 'assistant', content: '<image>' }],
      images: ['a.png'],
    };
    expect(await read(typed)).toEqual(['user:[a.png]an <image> tag', 'assistant:<image>']);
  });

  it.each([
    ['more images than places', { ...row, images: ['a.png', 'b.png'] }, /got 2 images and 1 places/],
    ['more places than images', { ...row, images: [] }, /got 0 images and 1 places/],
    [
      'markers and no images',
      { messages: [{ role: 'user', content: '<image><image>' }, answer] },
      /got 0 images and 2 places/,
    ],
    [
      'images and no place',
      { messages: [{ role: 'user', content: 'q' }, answer], images: ['a.png'] },
      /got 1 images and 0 places/,
    ],
  ])('with %s are bad', async (_, bad, message) => {
    await expect(read(bad)).rejects.toThrow(message);
  });
});

describe('messages whose parts carry their file', () => {
  it.each(['image', 'path', 'url'])('under %s', async (name) => {
    const row = { messages: [ask({ type: 'image', [name]: 'a.png' }, text('q')), answer] };
    expect(await formOf(row)).toBe('messagesParts');
    expect(await read(row)).toEqual(['user:[a.png]q', 'assistant:Yes']);
  });

  it('as Qwen writes them without a type, as file and data URLs, or listed a second time', async () => {
    expect(await read({ messages: [ask({ image: 'a.png' }, { text: 'q' }), answer] })).toEqual([
      'user:[a.png]q',
      'assistant:Yes',
    ]);
    expect(await read({ messages: [ask({ type: 'image', image: png }), answer] })).toEqual([
      `user:[${png}]`,
      'assistant:Yes',
    ]);
    expect(
      await read({ messages: [ask({ type: 'image', image: 'data:image;base64,AAAA' }), answer] }),
    ).toEqual([`user:[${png}]`, 'assistant:Yes']);
    expect(
      await read({ messages: [ask({ type: 'image', image: 'a.png' }), answer], images: ['a.png'] }),
    ).toEqual(['user:[a.png]', 'assistant:Yes']);
    const folder = folderOf({ 'with space.png': '' });
    const url = pathToFileURL(join(folder, 'with space.png')).href;
    writeFileSync(
      join(folder, 'rows.jsonl'),
      jsonLines([{ messages: [ask({ type: 'image', image: url }), answer] }]),
    );
    const dataset = await openDataset(join(folder, 'rows.jsonl'), { name: 'train' });
    expect(told(await dataset.example(0), folder)).toEqual(['user:[with space.png]', 'assistant:Yes']);
  });
});

describe('OpenAI chat rows', () => {
  it('carry image_url parts, as an object or a string', async () => {
    const row = (image_url: unknown) => ({
      messages: [ask(text('q'), { type: 'image_url', image_url }), answer],
    });
    expect(await formOf(row({ url: 'a.png' }))).toBe('openai');
    expect(await read(row({ url: 'a.png', detail: 'high' }))).toEqual(['user:q[a.png]', 'assistant:Yes']);
    expect(await read(row('a.png'))).toEqual(['user:q[a.png]', 'assistant:Yes']);
    expect(await read(row({ url: png }))).toEqual([`user:q[${png}]`, 'assistant:Yes']);
    await expect(read(row({}))).rejects.toThrow(/an image expected as a path/);
    await expect(read(row(null))).rejects.toThrow(/the image_url of a part of type image_url, got nothing/);
  });

  it('answer in text parts', async () => {
    const row = { messages: [ask(text('q')), { role: 'assistant', content: [text('Ye'), text('s')] }] };
    expect(await formOf(row)).toBe('messages');
    expect(await read(row)).toEqual(['user:q', 'assistant:Yes']);
  });

  it.each([
    ['https://example.org/a.png', /nothing is fetched from a network/],
    ['HTTP://example.org/a.png', /nothing is fetched/],
    ['s3://bucket/a.png', /file:\/\/ URL or a data: URL, got "s3:/],
    ['file://elsewhere/a.png', /a file:\/\/ URL of this machine/],
    ['data:text/html,<b>', /expected as data:image/],
    ['data:image/svg+xml,<svg/>', /expected as data:image/],
    ['a\u0000.png', /without a zero character/],
  ])('with the image %j are bad', async (url, message) => {
    await expect(
      read({ messages: [ask({ type: 'image_url', image_url: { url } }), answer] }),
    ).rejects.toThrow(message);
  });
});

describe('LLaVA conversations', () => {
  const turns = (question: string) => [
    { from: 'human', value: question },
    { from: 'gpt', value: 'Yes' },
  ];

  it('carry <image>, and image or images', async () => {
    expect(await formOf({ conversations: turns('q'), image: 'a.png' })).toBe('llava');
    expect(await read({ id: '1', image: 'a.png', conversations: turns('<image>\nq') })).toEqual([
      'user:[a.png]\nq',
      'assistant:Yes',
    ]);
    expect(await read({ images: ['a.png', 'b.png'], conversations: turns('<image><image>q') })).toEqual([
      'user:[a.png][b.png]q',
      'assistant:Yes',
    ]);
    expect(await read({ pics: ['a.png'], conversations: turns('q <image>') }, { image: 'pics' })).toEqual([
      'user:q [a.png]',
      'assistant:Yes',
    ]);
    const system = [{ from: 'system', value: 'Be brief.' }, ...turns('q')];
    expect(await read({ conversations: system })).toEqual(['system:Be brief.', 'user:q', 'assistant:Yes']);
  });

  it('may differ in which rows have a picture', async () => {
    const { folder, dataset } = await open([
      { conversations: turns('q') },
      { conversations: turns('<image>q'), image: 'a.png' },
    ]);
    expect(told(await dataset.example(0), folder)[0]).toBe('user:q');
    expect(told(await dataset.example(1), folder)[0]).toBe('user:[a.png]q');
  });
});

describe('conversations that teach nothing or make no sense', () => {
  it.each([
    [
      'an unknown role',
      [{ role: 'tool', content: 'x' }, answer],
      /turn 0 expected a role of system, .*, got "tool"/,
    ],
    ['no role', [{ content: 'x' }], /a role of .*, got nothing/],
    [
      'no content',
      [ask(text('q')), { role: 'assistant', content: null }],
      /turn 1 expected its content as text or a list of parts, got nothing/,
    ],
    ['a turn that is text', ['hello'], /turn 0 expected a turn with a role/],
    [
      'a part of another type',
      [ask({ type: 'video', video: 'a.mp4' }), answer],
      /parts of type text, image or image_url, got "video"/,
    ],
    ['a text part without text', [ask({ type: 'text' }), answer], /the text of a text part, got nothing/],
    ['no turns', [], /an assistant turn expected, got no turn at all/],
    ['no answer', [ask(text('q'))], /only user/],
    ['no question', [answer], /a user turn expected before/],
    ['an empty question', [ask(text('')), answer], /turn 0 \(user\) expected text, got an empty one/],
    [
      'an image in an answer',
      [ask(text('q')), { role: 'assistant', content: [{ type: 'image', image: 'a.png' }] }],
      /turn 1 \(assistant\) expected text, got an image/,
    ],
  ])('with %s are bad', async (_, messages, message) => {
    await expect(read({ messages })).rejects.toThrow(message);
  });

  it.each([
    [
      'characters',
      4_194_304,
      [ask(text('x'.repeat(2 ** 22 - 3))), answer],
      [ask(text('x'.repeat(2 ** 22 - 2))), answer],
    ],
    [
      'turns, texts and images',
      4096,
      Array.from({ length: 4096 }, (_, i) => (i % 2 === 0 ? ask(text('q')) : answer)),
      [ask(...Array.from({ length: 4096 }, () => text('q'))), answer],
    ],
  ])('are bad with more %s than any model reads', async (what, most, longest, longer) => {
    await expect(read({ messages: longest })).resolves.toBeDefined();
    await expect(read({ messages: longer })).rejects.toThrow(
      `row 0: at most ${most} ${what} in all expected, got ${most + 1}. Cut the row into several`,
    );
  });

  it('are bad when a row is no object', async () => {
    const { dataset } = await open([flat, [1]]);
    await expect(dataset.example(1)).rejects.toThrow(/row 1: a row expected as an object .* got a list of 1/);
  });
});
