import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import { compileStep } from '../../src/train/compile.ts';
import { createEncoder } from '../../src/train/encoder.ts';
import { likeliest } from '../../src/train/likeliest.ts';
import { labelPositions } from '../../src/train/score.ts';
import { tinyRun } from '../train/tiny-run.ts';

it('explains a long answer in parts, with the losses of evaluation', async () => {
  const answer = Array.from({ length: 90 }, (_, i) => `item ${i}`).join(', ');
  const folder = tinyRun({ rows: [{ image: 'a.png', question: 'What is there?', answer }] });
  const modelDir = join(folder, 'model');
  const encoder = await createEncoder({ modelDir, image: {}, maxLength: 2048 });
  const dataset = await openDataset(join(folder, 'train.jsonl'), { name: 'train' });
  const sample = await encoder.load(await dataset.example(0));
  const positions = labelPositions(sample.encoded);
  expect(positions.length).toBeGreaterThan(2 * 128);
  const step = await compileStep({ modelDir, recompute: false, threads: 1, seed: 1 });
  const [{ losses, top }] = await step.evaluate([sample]);
  const explained = await step.explain(sample, positions);
  const alone = await step.lossesAt(sample, positions);
  await step.close();
  const sum = (values: Iterable<number>) => [...values].reduce((total, x) => total + x, 0);
  expect(Math.abs(sum(explained.map(({ loss }) => loss)) / sum(losses) - 1)).toBeLessThan(1e-6);
  expect(Math.abs(sum(alone) / sum(losses) - 1)).toBeLessThan(1e-6);
  explained.forEach(({ top: tokens }, n) => {
    expect(Math.abs(tokens[0].probability / top[n] - 1)).toBeLessThan(1e-5);
  });
});

it('finds the largest logits, the lower index first where they are equal', () => {
  expect(likeliest(Float32Array.of(1, 5, 3, 5, -2, 4), 4)).toEqual([1, 3, 5, 2]);
  expect(likeliest(Float32Array.of(2, 1), 5)).toEqual([0, 1]);
});
