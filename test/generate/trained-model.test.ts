import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Answer, Engine } from '../../src/generate/engine.ts';
import { TrainedModel } from '../../src/generate/trained-model.ts';
import { stream } from '../../src/random.ts';
import { type CompileOptions, compileStep } from '../../src/train/compile.ts';
import { createEncoder } from '../../src/train/encoder.ts';
import { answerModel, conversations, reference } from './answer-model.ts';

const requests = conversations.map((messages) => ({ messages, maxNewTokens: reference.maxNewTokens }));

async function inTraining(options: Pick<CompileOptions, 'modelDir' | 'adapterDir' | 'full' | 'lora'>) {
  const step = await compileStep({ recompute: true, threads: 1, seed: 1, ...options });
  const trained = new TrainedModel(step.definition, step.trainables, 1);
  const encoder = await createEncoder({ modelDir: options.modelDir, image: {}, maxLength: 1e6 });
  const engine = await Engine.around(trained, encoder);
  onTestFinished(async () => {
    await trained.close();
    await step.close();
  });
  return { step, answer: () => engine.answer(requests) };
}

const said = (answers: Answer[]) =>
  answers.map(({ tokens, text, finish }) => ({ ids: tokens, text, finish }));

describe.each(reference.models.map((model) => [model.name, model] as const))('%s in training', (_, model) => {
  it('answers as the reference does with the values that are in memory, and as the base once they are none', async () => {
    const { model: modelDir, adapter } = await answerModel(model);
    const { step, answer } = await inTraining({ modelDir, adapterDir: adapter });
    expect(said(await answer())).toEqual(model.adapted);
    const learned = step.trainables.map(({ values }) => Float32Array.from(values));
    for (const { values } of step.trainables) values.fill(0);
    expect(said(await answer())).toEqual(model.base);
    step.trainables.forEach(({ values }, i) => {
      values.set(learned[i]);
    });
    expect(said(await answer())).toEqual(model.adapted);
  });

  it.each([
    ['every parameter, the vision tower with them', { full: { parameters: 'all' } }],
    [
      'an adapter on every linear, with dropout',
      { lora: { rank: 2, targetModules: 'all-linear', dropout: 0.5 } },
    ],
  ])('answers with %s as what it writes does', async (_, what) => {
    const { model: modelDir } = await answerModel(model);
    const { step, answer } = await inTraining({ modelDir, ...what });
    const before = said(await answer());
    const draws = stream(7, 'moved');
    for (const { values } of step.trainables)
      for (let i = 0; i < values.length; i++) values[i] += 0.05 * draws.normal();
    const moved = await answer();
    expect(said(moved)).not.toEqual(before);
    const written = mkdtempSync(join(tmpdir(), 'lorikeet-trained-'));
    onTestFinished(() => rmSync(written, { recursive: true, force: true }));
    await step.writeAdapter(written);
    const alone = await Engine.open(
      'full' in what ? { model: written, threads: 1 } : { model: modelDir, adapter: written, threads: 1 },
    );
    const expected = await alone.answer(requests);
    await alone.close();
    expect(said(moved)).toEqual(said(expected));
    for (const [i, { logProbabilities }] of expected.entries())
      logProbabilities.forEach((value, n) => {
        expect(moved[i].logProbabilities[n]).toBeCloseTo(value, 4);
      });
  });
});
