import { expect, it } from 'vitest';
import { tinyWeights, weightsDigest } from './checkpoint.ts';
import {
  decode,
  forwardCases,
  initialAdapter,
  loadFixture,
  loadForwardCase,
  type ParityModel,
  samplesOf,
  trainingCases,
} from './parity.ts';

it.each([...forwardCases, ...trainingCases])("%s: the weights from the seed are the reference's", (name) => {
  const model = loadFixture(name) as ParityModel;
  expect(weightsDigest(tinyWeights(model))).toBe(model.weightsSha256);
});

it('a case decodes to arrays of the shapes it names', () => {
  const model = loadForwardCase('vision-lora');
  for (const [key, { values, shape }] of initialAdapter(model, model.gradients)) {
    expect(values.length, key).toBe(shape[0] * shape[1]);
    expect(decode(model.gradients[key]).length, key).toBe(values.length);
  }
  for (const [i, { encoded, images }] of samplesOf(model).entries()) {
    const { rows, positions, logits, losses, spans } = model.samples[i];
    expect(positions.map((p) => p.length)).toEqual([0, 0, 0].map(() => encoded.ids.length));
    expect(rows).toEqual(spans.flatMap(([a, b]) => Array.from({ length: b - a }, (_, k) => a + k - 1)));
    expect(decode(logits).length).toBe(rows.length * 300);
    expect(decode(losses).length).toBe(rows.length);
    expect(images.map(({ patches }) => patches!.length / 1176)).toEqual(
      encoded.grids.map(([t, h, w]) => t * h * w),
    );
  }
});
