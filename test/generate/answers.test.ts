/** Greedy answers to whole questions, from pictures and text, equal to transformers' `generate`. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/generate/engine.ts';
import { answerModel, conversations, reference } from './answer-model.ts';

const { maxNewTokens } = reference;
const requests = conversations.map((messages) => ({ messages, maxNewTokens }));

describe.each(reference.models)('$name', (stored) => {
  const said = (answers: { tokens: number[]; text: string; finish: string }[]) =>
    answers.map(({ tokens, text, finish }) => ({ ids: tokens, text, finish }));

  it('answers 20 conversations as the reference does, without an adapter, with it, and without it again', async () => {
    const { model, adapter } = await answerModel(stored);
    const engine = await Engine.open({ model, threads: 1 });
    const one = async () => {
      const answers = [];
      for (const request of requests) answers.push(...(await engine.answer([request])));
      return answers;
    };
    const base = await one();
    expect(said(base)).toEqual(stored.base);
    expect(base.map(({ promptTokens }) => promptTokens)).toEqual(stored.promptTokens);
    await engine.useAdapter(adapter);
    expect(said(await one())).toEqual(stored.adapted);
    await engine.useAdapter(undefined);
    expect(said(await one())).toEqual(stored.base);
    await engine.close();
  });

  it('answers them together as one by one', async () => {
    const { model, adapter } = await answerModel(stored);
    const engine = await Engine.open({ model, adapter, threads: 1 });
    expect(said(await engine.answer(requests))).toEqual(stored.adapted);
    await engine.close();
  });
});
