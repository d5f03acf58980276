import { expect, it } from 'vitest';
import { CachedModel } from '../../src/generate/cached-model.ts';
import { Context } from '../../src/generate/context.ts';
import { decodeTogether } from '../../src/generate/decode.ts';
import type { Prompt } from '../../src/generate/prompt.ts';
import { createSampler } from '../../src/generate/sampling.ts';
import { answerModel, reference } from './answer-model.ts';

const text = (...ids: number[]): Prompt => ({ ids: Int32Array.from(ids), images: [] });

async function answer(context: Context, model: CachedModel, prompt: Prompt, maxNewTokens: number) {
  const [branch] = await context.branch([prompt]);
  const options = { maxNewTokens, sample: createSampler({}) };
  const [{ ids }] = await decodeTogether(model, context.store, [{ ...branch, ...options }], new Set());
  return { ids, shared: branch.shared };
}

it('keeps an answer that it gave, all but the token that was said last and never read', async () => {
  const { model: modelDir } = await answerModel(reference.models[0]);
  const model = await CachedModel.open({ modelDir, threads: 1 });
  const context = new Context(model);
  const first = text(5, 6, 7, 8);
  context.rewind(first);
  const one = await answer(context, model, first, 6);
  context.adopt(first, one.ids);
  expect(context.store.length).toBe(4 + 5);

  const second = text(...first.ids, ...one.ids, 30, 31);
  expect(context.rewind(second)).toBe(9);
  const before = context.tokensRead;
  const two = await answer(context, model, second, 6);
  expect(two.shared).toBe(9);
  expect(context.tokensRead - before).toBe(3); // the last word said, and two new ones
  expect(two.ids).toEqual((await answer(new Context(model), model, second, 6)).ids);

  // Turned aside in the middle of what is held.
  const other = text(5, 6, 9, 10);
  expect(context.rewind(other)).toBe(2);
  expect(context.store.length).toBe(2);
  expect((await answer(context, model, other, 6)).ids).toEqual(
    (await answer(new Context(model), model, other, 6)).ids,
  );
  await model.close();
});

it('reads the last token of a prompt that it holds whole: what follows is the question', async () => {
  const { model: modelDir } = await answerModel(reference.models[0]);
  const model = await CachedModel.open({ modelDir, threads: 1 });
  const prompt = text(11, 12, 13);
  const context = new Context(model);
  await context.hold(prompt, 3);
  const held = await answer(context, model, prompt, 4);
  expect(held.shared).toBe(2);
  expect(held.ids).toEqual((await answer(new Context(model), model, prompt, 4)).ids);
  await model.close();
});
