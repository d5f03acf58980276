/** The library as programs load it: what `npm run build` made, with the model in a thread of its own. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../../src/generate/engine.ts';
import type { LoadOptions, Model } from '../../src/generate/model.ts';
import { answerModel, conversations, picture, reference } from './answer-model.ts';

const dist = new URL('../../dist/index.js', import.meta.url);
const { loadModel } = (await import(dist.href)) as { loadModel(options: LoadOptions): Promise<Model> };

const [stored] = reference.models;
const { maxNewTokens } = reference;
const folders = await answerModel(stored);
const image = picture('rgb.png');
const said = ({ text, tokens, finish }: Answer) => ({ text, ids: tokens, finish });

let model: Model;
beforeAll(async () => {
  model = await loadModel({ ...folders, threads: 1 });
});
afterAll(() => model.close());

describe('a loaded model', () => {
  it('says how it runs', () => {
    expect(model.facts).toMatchObject({ device: 'cpu', threads: 1, dtypes: ['f32'], packAfter: 512 });
  });

  it('generates, one by one and together', async () => {
    const requests = conversations.map((messages) => ({ messages, maxNewTokens }));
    expect((await model.generateAll(requests)).map(said)).toEqual(stored.adapted);
    expect(said(await model.generate(requests[0]))).toEqual(stored.adapted[0]);
  });

  it('takes the bytes of a picture', async () => {
    const request = { question: 'What?', maxNewTokens };
    const fromBytes = await model.generate({ ...request, image: readFileSync(image) });
    expect(said(fromBytes)).toEqual(said(await model.generate({ ...request, image })));
  });

  it('swaps adapters, and keeps the one it has where another does not fit', async () => {
    const request = { messages: conversations[0], maxNewTokens };
    await model.useAdapter(undefined);
    expect(said(await model.generate(request))).toEqual(stored.base[0]);
    await model.useAdapter(folders.adapter);
    await expect(model.useAdapter(folders.model)).rejects.toMatchObject({
      name: 'LorikeetError',
      code: 'adapter',
    });
    expect(said(await model.generate(request))).toEqual(stored.adapted[0]);
  });

  it('throws what went wrong, and answers on', async () => {
    await expect(model.generate({ question: 'What?', image: 'no.png' })).rejects.toMatchObject({
      code: 'image',
    });
    await expect(model.generate({ question: 'What?', seed: -1 })).rejects.toMatchObject({ code: 'config' });
    expect((await model.generate({ question: 'What?', maxNewTokens: 2 })).tokens).toHaveLength(2);
  });
});

describe('a stream', () => {
  it('gives the answer in pieces, and the whole of it', async () => {
    const stream = model.stream({ question: 'What?', image, maxNewTokens });
    const pieces: string[] = [];
    for await (const text of stream) pieces.push(text);
    const answer = await stream.result;
    expect(pieces.join('')).toBe(answer.text);
    expect(pieces.length).toBeGreaterThan(1);
    expect(said(answer)).toEqual(said(await model.generate({ question: 'What?', image, maxNewTokens })));
  });

  it('stops where its loop is left, and by a signal, with what there was', async () => {
    const endless = { messages: conversations[0], maxNewTokens: 2 ** 20 };
    // An answer of the tiny model without an end would go on for hours.
    const left = model.stream({ ...endless, temperature: 1, topK: 1 });
    for await (const _ of left) break;
    expect(['aborted', 'stop']).toContain((await left.result).finish);
    const controller = new AbortController();
    const aborted = model.stream(endless, { signal: controller.signal });
    for await (const _ of aborted) controller.abort();
    expect(['aborted', 'stop']).toContain((await aborted.result).finish);
    const before = await model.generate(endless, { signal: AbortSignal.abort() });
    expect(before).toMatchObject({ finish: 'aborted', text: '', tokens: [] });
  });

  it('throws to whoever reads it', async () => {
    const stream = model.stream({ question: '' });
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toMatchObject({ code: 'config' });
    await expect(stream.result).rejects.toMatchObject({ code: 'config' });
  });
});

it('asks many questions about pictures that it read once', async () => {
  const about = await model.about({ image });
  const questions = ['Is there a polyp?', 'Where?'];
  const alone = [];
  for (const question of questions) alone.push(await model.generate({ question, image, maxNewTokens }));
  const answers = await about.askAll(questions, { maxNewTokens });
  expect(answers.map(said)).toEqual(alone.map(said));
  expect(answers.every(({ sharedTokens }) => sharedTokens === about.sharedTokens)).toBe(true);
  const stream = about.stream(questions[1], { maxNewTokens });
  for await (const _ of stream);
  expect(said(await stream.result)).toEqual(said(alone[1]));
  expect(said(await about.ask(questions[0], { maxNewTokens }))).toEqual(said(alone[0]));
  await about.close();
});

it('talks: turns are kept, failed ones are not, and a reset begins again', async () => {
  const chat = model.chat({ system: 'Answer in one word.' });
  const first = await chat.send({ text: 'Is there a polyp?', image }, { maxNewTokens: 6 });
  await expect(chat.send({ text: 'And here?', image: 'no.png' })).rejects.toMatchObject({ code: 'image' });
  const stream = chat.stream('Sure?', { maxNewTokens: 6 });
  const impatient = chat.send('Why?', { maxNewTokens: 6 });
  for await (const _ of stream);
  const second = await stream.result;
  const third = await impatient;
  expect(chat.messages.map(({ role }) => role)).toEqual([
    'system',
    'user',
    'assistant',
    'user',
    'assistant',
    'user',
    'assistant',
  ]);
  expect(chat.messages[2].content).toBe(first.text);
  const upTo = async (length: number) =>
    said(await model.generate({ messages: chat.messages.slice(0, length), maxNewTokens: 6 }));
  expect(said(second)).toEqual(await upTo(4));
  expect(said(third)).toEqual(await upTo(6));
  expect(second.sharedTokens).toBeGreaterThanOrEqual(first.promptTokens);
  chat.reset();
  expect(chat.messages).toEqual([{ role: 'system', content: 'Answer in one word.' }]);
  await chat.close();
});

it('closes while it answers, and the call that waited says so', async () => {
  const closing = await loadModel({ ...folders, threads: 1 });
  const answer = closing.generate({ messages: conversations[0], maxNewTokens: 200 });
  const refused = expect(answer).rejects.toMatchObject({
    code: 'engine',
    what: expect.stringContaining('the model was closed'),
  });
  await closing.close();
  await refused;
});

describe('loading', () => {
  it('throws what is missing', async () => {
    await expect(loadModel({ model: 'no-such-folder' })).rejects.toMatchObject({ code: 'checkpoint' });
    await expect(loadModel({ ...folders, adapter: folders.model })).rejects.toMatchObject({
      code: 'adapter',
    });
  });

  it.each([0, -1, 1.5, Number.NaN])(
    'refuses %s threads, which the engine fails on or takes otherwise',
    async (threads) => {
      await expect(loadModel({ ...folders, threads })).rejects.toMatchObject({
        code: 'config',
        what: `threads expected a whole number from 1 to 1024, got ${threads}`,
      });
    },
  );

  it('ends with close, and a program that forgets it ends all the same', async () => {
    const other = await loadModel({ model: folders.model, threads: 1 });
    await other.close();
    await expect(other.generate({ question: 'What?' })).rejects.toMatchObject({ code: 'engine' });
    const program = `
      import { loadModel } from ${JSON.stringify(dist.href)};
      const model = await loadModel({ model: ${JSON.stringify(folders.model)}, threads: 1 });
      const { tokens } = await model.generate({ question: 'What?', maxNewTokens: 3 });
      console.log(tokens.length);`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: '3\n', stderr: '', status: 0 });
  });
});

it('answers in the example that users copy', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const jiti = fileURLToPath(new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url));
  const questions = ['Is there a polyp?', 'How many are there?'];
  const words = [jiti, 'examples/ask.ts', folders.model, image, ...questions];
  const { stdout, status } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });
  expect(status).toBe(0);
  // The first two rows of the reference are these questions; an answer that ended there ends here as it does there.
  questions.forEach((question, i) => {
    const { text, finish } = stored.base[i];
    expect(stdout).toContain(`${question}\n  ${text}`.trimEnd());
    if (finish === 'stop') expect(stdout).toContain(`${question}\n  ${text}\n`);
  });
});
