/** Answers with what the vision tower made of pictures kept on disk. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CacheInput } from '../../src/config/schema.ts';
import { type Answer, Engine } from '../../src/generate/engine.ts';
import type { LoadOptions, Model } from '../../src/generate/model.ts';
import { answerModel, picture, reference } from './answer-model.ts';

const request = { question: 'Is there a polyp?', image: picture('rgb.png'), maxNewTokens: 8 };
const said = ({ tokens, logProbabilities }: Answer) => ({ tokens, logProbabilities });

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-kept-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function entriesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((name) => name.endsWith('.entry')).map((name) => join(folder, name));
}

describe('an engine', () => {
  const ask = async (model: string, cache?: CacheInput) => {
    const engine = await Engine.open({ model, threads: 1, cache });
    const [answer] = await engine.answer([request]);
    const notices = engine.model.takeNotices();
    await engine.close();
    return { ...said(answer), notices };
  };

  it('says the same with a picture that it computes and with one that an earlier one left', async () => {
    const { model } = await answerModel(reference.models[0]);
    const folder = newFolder();
    const alone = await ask(model);
    expect(await ask(model, { folder })).toEqual(alone);
    expect(entriesIn(folder)).toHaveLength(1);
    expect(await ask(model, { folder })).toEqual(alone);
    expect(await ask(model, 'off')).toEqual(alone);
  });

  it('refuses words that are none of the section', async () => {
    const { model } = await answerModel(reference.models[0]);
    const wrong = { memory: 'plenty' } as CacheInput;
    await expect(ask(model, wrong)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining(
        'memory expected a size such as 4GB or 500MB, or off, got the text "plenty"',
      ),
    });
  });

  it('neither uses nor keeps a picture while an adapter changes the tower', async () => {
    const { model, adapter } = await answerModel(reference.models[1]);
    const folder = newFolder();
    const [alone, kept] = await Promise.all([
      Engine.open({ model, adapter, threads: 1 }),
      Engine.open({ model, adapter, threads: 1, cache: { folder } }),
    ]);
    const topics = [alone, kept].map((engine) => engine.newTopic());
    const both = async () => {
      const answers = await Promise.all(
        [alone, kept].map((engine, i) => engine.answer([request], {}, topics[i])),
      );
      expect(said(answers[1][0])).toEqual(said(answers[0][0]));
      return said(answers[0][0]);
    };
    const adapted = await both();
    expect(entriesIn(folder)).toEqual([]);
    for (const engine of [alone, kept]) await engine.useAdapter(undefined);
    const base = await both();
    expect(entriesIn(folder)).toHaveLength(1);
    expect(base).not.toEqual(adapted);
    for (const engine of [alone, kept]) await engine.useAdapter(adapter);
    expect(await both()).toEqual(adapted); // the same topic, whose picture had no patches any more
    await Promise.all([alone.close(), kept.close()]);
  });
});

it('a loaded model tells of an entry that is damaged, with the answer that it is about', async () => {
  const { loadModel } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as {
    loadModel(options: LoadOptions): Promise<Model>;
  };
  const { model } = await answerModel(reference.models[0]);
  const folder = newFolder();
  const ask = async () => {
    const notices: string[] = [];
    const loaded = await loadModel({ model, threads: 1, cache: { folder } });
    const answer = await loaded.generate(request, { onNotice: (text) => notices.push(text) });
    await loaded.close();
    return { answer: said(answer), notices };
  };
  const first = await ask();
  expect(first.notices).toEqual([]);
  const [entry] = entriesIn(folder);
  writeFileSync(entry, readFileSync(entry).subarray(0, 100));
  const damaged = await ask();
  expect(damaged.answer).toEqual(first.answer);
  expect(damaged.notices).toEqual([expect.stringContaining(`is cut short, ${entry}`)]);
  expect(await ask()).toEqual(first);
});
