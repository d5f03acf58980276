import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Answer, Engine } from '../../src/generate/engine.ts';
import type { AnswerRequest } from '../../src/generate/request.ts';
import { answerModel, conversations, picture, reference } from './answer-model.ts';

const [stored] = reference.models;

async function open() {
  const folders = await answerModel(stored);
  return { ...folders, engine: await Engine.open({ ...folders, threads: 1 }) };
}

const ask = async (engine: Engine, request: AnswerRequest) => (await engine.answer([request]))[0];

const questions = ['Is there a polyp?', 'How many are there?', 'Where?', 'Is it wide, or is it tall?'];
const image = picture('rgb.png');
const maxNewTokens = 12;

/** The same text; what is shared and how long it took may differ. */
const said = ({ text, tokens, finish, promptTokens }: Answer) => ({ text, tokens, finish, promptTokens });

describe('questions about one picture', () => {
  it('give the answers that each gives alone, and share what comes before the question', async () => {
    const { engine } = await open();
    const requests = questions.map((question) => ({ question, image, maxNewTokens }));
    const alone: Answer[] = [];
    for (const request of requests) alone.push(await ask(engine, request));
    const together = await engine.answer(requests);
    expect(together.map(said)).toEqual(alone.map(said));
    expect(alone.map(({ sharedTokens }) => sharedTokens)).toEqual([0, 0, 0, 0]);
    // System turn, header, two vision tokens and 4 image tokens, up to the first letter that differs.
    expect(new Set(together.map(({ sharedTokens }) => sharedTokens)).size).toBe(1);
    expect(together[0].sharedTokens).toBeGreaterThan(10);
    together.forEach(({ logProbabilities }, i) => {
      logProbabilities.forEach((value, t) => {
        expect(value).toBeCloseTo(alone[i].logProbabilities[t], 4);
      });
    });
    await engine.close();
  });

  it('read the picture once, however many follow', async () => {
    const { engine } = await open();
    const topic = engine.newTopic();
    const shared = await engine.hold(topic, { image });
    expect(topic.context.tokensRead).toBe(shared);
    let own = 0;
    for (const question of questions) {
      const request = { question, image, maxNewTokens };
      const [about] = await engine.answer([request], {}, topic);
      expect(said(about)).toEqual(said(await ask(engine, request)));
      expect(about.sharedTokens).toBe(shared);
      own += about.promptTokens - shared;
      expect(topic.context.tokensRead).toBe(shared + own);
      expect(topic.context.store.length).toBe(shared);
    }
    await engine.close();
  });

  it('read it again for another adapter', async () => {
    const { engine, adapter } = await open();
    const request = { question: questions[0], image, maxNewTokens };
    const topic = engine.newTopic();
    await engine.hold(topic, { image });
    const [adapted] = await engine.answer([request], {}, topic);
    await engine.useAdapter(undefined);
    const [base] = await engine.answer([request], {}, topic);
    expect(base.sharedTokens).toBe(adapted.sharedTokens);
    expect(topic.context.tokensRead).toBeGreaterThan(2 * adapted.sharedTokens);
    expect(said(base)).toEqual(said(await ask(engine, request)));
    expect(base.tokens).not.toEqual(adapted.tokens);
    await engine.useAdapter(adapter);
    expect(said((await engine.answer([request], {}, topic))[0])).toEqual(said(adapted));
    await engine.close();
  });
});

it('goes on in a conversation with what was said, and reads the new words alone', async () => {
  const { engine } = await open();
  const topic = engine.newTopic();
  const user = (text: string, file?: string) => ({
    role: 'user' as const,
    content: [
      ...(file ? [{ type: 'image' as const, image: picture(file) }] : []),
      { type: 'text' as const, text },
    ],
  });
  const first = [user('What is shown?', 'rgb.png')];
  const one = await engine.reply(topic, { messages: first, maxNewTokens });
  expect(one.sharedTokens).toBe(0);
  const second = [
    ...first,
    { role: 'assistant' as const, content: 'a polyp' },
    user('And here?', 'narrow.png'),
  ];
  const two = await engine.reply(topic, { messages: second, maxNewTokens });
  expect(said(two)).toEqual(said(await ask(engine, { messages: second, maxNewTokens })));
  expect(two.sharedTokens).toBeGreaterThanOrEqual(one.promptTokens);
  // Another picture in the first one's place is no shared beginning, although its tokens are the same.
  const third = [user('What is shown?', 'grey.png')];
  const three = await engine.reply(topic, { messages: third, maxNewTokens });
  expect(said(three)).toEqual(said(await ask(engine, { messages: third, maxNewTokens })));
  expect(three.promptTokens).toBe(one.promptTokens);
  expect(three.sharedTokens).toBeLessThan(one.promptTokens - 8);
  await engine.close();
});

describe('draws', () => {
  it('come from the seed alone, whatever is asked beside them', async () => {
    const { engine } = await open();
    const request = { question: 'Say something.', maxNewTokens, temperature: 1, seed: 5 };
    const one = await ask(engine, request);
    const again = await engine.answer([
      request,
      { ...request, seed: 6 },
      { ...request, temperature: undefined },
    ]);
    expect(again[0].tokens).toEqual(one.tokens);
    expect(again[1].tokens).not.toEqual(one.tokens);
    expect(again[2].tokens).toEqual((await ask(engine, { question: 'Say something.', maxNewTokens })).tokens);
    await engine.close();
  });
});

describe('an answer', () => {
  it('comes in pieces that make up its text', async () => {
    const { engine } = await open();
    const pieces: string[][] = questions.map(() => []);
    const answers = await engine.answer(
      questions.map((question) => ({ question, maxNewTokens })),
      { onText: (i, text) => pieces[i].push(text) },
    );
    expect(pieces.map((parts) => parts.join(''))).toEqual(answers.map(({ text }) => text));
    expect(pieces.every((parts) => parts.length > 1)).toBe(true);
    await engine.close();
  });

  it('is cut where it does not end, and says so; has a probability for every token and its end', async () => {
    const { engine } = await open();
    const messages = conversations.map((turns) => ({
      messages: turns,
      maxNewTokens: reference.maxNewTokens,
    }));
    const answers = await engine.answer(messages);
    answers.forEach(({ finish, tokens, logProbabilities }, i) => {
      expect(finish).toBe(stored.adapted[i].finish);
      expect(logProbabilities).toHaveLength(tokens.length + Number(finish === 'stop'));
      expect(logProbabilities.every((value) => value <= 0 && Number.isFinite(value))).toBe(true);
    });
    expect(new Set(answers.map(({ finish }) => finish))).toEqual(new Set(['stop', 'length']));
    expect((await ask(engine, { question: 'What?', maxNewTokens: 1 })).tokens).toHaveLength(1);
    await engine.close();
  });

  it('stops between two tokens where somebody asks for it, and keeps what was said', async () => {
    const { engine } = await open();
    let times = 0; // before the prompt is read, and then before each token
    const [whole] = await engine.answer([{ question: 'What?', maxNewTokens }]);
    const [answer] = await engine.answer([{ question: 'What?', maxNewTokens }], {
      stopped: () => times++ > 3,
    });
    expect(answer.finish).toBe('aborted');
    expect(answer.tokens).toEqual(whole.tokens.slice(0, 3));
    await engine.close();
  });
});

describe('pictures', () => {
  it('may be bytes, a data URL or a path', async () => {
    const { engine } = await open();
    const bytes = new Uint8Array(readFileSync(image));
    const dataUrl = `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`;
    const expected = said(await ask(engine, { question: 'What?', image, maxNewTokens }));
    for (const other of [bytes, dataUrl, `file://${image}`])
      expect(said(await ask(engine, { question: 'What?', image: other, maxNewTokens }))).toEqual(expected);
    await engine.close();
  });
});

describe('what cannot be asked', () => {
  it.each<[string, object, string, string]>([
    ['an empty question', { question: ' ' }, 'config', 'a question expected'],
    ['a picture that is not there', { question: 'What?', image: 'no.png' }, 'image', 'no such file'],
    [
      'a picture from a network',
      { question: 'What?', image: 'https://a.example/b.png' },
      'image',
      'on this machine',
    ],
    [
      'a file that is no picture',
      { question: 'What?', image: new URL(import.meta.url).pathname },
      'image',
      'engine.test.ts',
    ],
    ['nothing', undefined as unknown as object, 'config', 'a question expected, got nothing'],
    [
      'a picture that is an object',
      { question: 'a', image: new URL(import.meta.url) },
      'image',
      'the text of',
    ],
    ['a picture that is none', { question: 'a', image: null }, 'image', 'got nothing'],
    [
      'a file of another machine',
      { question: 'a', image: 'file://far/b.png' },
      'image',
      'got file://far/b.png',
    ],
    ['pictures that are no list', { question: 'a', images: 'b.png' }, 'config', 'got "b.png"'],
    ['a system text that is none', { question: 'a', system: 5 }, 'config', 'system expected a text, got 5'],
    ['a conversation without turns', { messages: [] }, 'data', 'no turn at all'],
    [
      'one that ends with an answer',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
      'data',
      'ends with a user turn',
    ],
    ['a role of its own', { messages: [{ role: 'tool', content: 'a' }] }, 'config', 'turn 0'],
    [
      'an unknown part',
      { messages: [{ role: 'user', content: [{ type: 'video' }] }] },
      'config',
      'text and image parts',
    ],
    ['a heat below zero', { question: 'What?', temperature: -1 }, 'config', 'temperature'],
    ['a probability above one', { question: 'What?', topP: 1.5 }, 'config', 'topP'],
    ['no token at all', { question: 'What?', maxNewTokens: 0 }, 'config', 'maxNewTokens'],
    ['half a seed', { question: 'What?', seed: 0.5 }, 'config', 'seed'],
  ])('%s is one clear error that names no row', async (_, request, code, words) => {
    const { engine } = await open();
    const error = await ask(engine, request as AnswerRequest).catch((caught) => caught);
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(words);
    expect(error.message).not.toMatch(/row \d/);
    await engine.close();
  });
});

it('packs weights once it decoded what that is worth, and answers on as before', async () => {
  const [, halves] = reference.models;
  const { model, adapter } = await answerModel(halves);
  const engine = await Engine.open({ model, adapter, threads: 1 });
  const requests = conversations.map((messages) => ({ messages, maxNewTokens: reference.maxNewTokens }));
  const packed: boolean[] = [];
  for (const [i, request] of requests.entries()) {
    expect((await ask(engine, request)).tokens).toEqual(halves.adapted[i].ids);
    packed.push(engine.model.isPacked);
  }
  // 24 tokens an answer, of which 23 are read again: the second answer passes 32.
  expect(packed.slice(0, 3)).toEqual([false, true, true]);
  await engine.close();
});
