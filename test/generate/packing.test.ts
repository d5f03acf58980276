import { expect, it } from 'vitest';
import type { DType } from '../../src/dtype.ts';
import { choosePacking } from '../../src/generate/packing.ts';
import type { Parameter } from '../../src/nn/network.ts';

const parameters = (dtype: DType): ReadonlyMap<string, Parameter> =>
  new Map(
    ['model.language_model.layers.0.mlp.up_proj.weight', 'model.visual.blocks.0.mlp.fc1.weight'].map(
      (name) => [
        name,
        {
          name,
          shape: [100, 250],
          role: 'frozen',
          location: { file: 'm', dtype, shape: [100, 250], offset: 0, byteLength: 100_000 },
        },
      ],
    ),
  );

it('packs f32 weights of the decoder that fit into half of the memory', () => {
  expect(choosePacking(parameters('f32'), undefined, 200_000).packed).toBe(true);
  expect(choosePacking(parameters('f32'), undefined, 199_999).packed).toBe(false);
});

it('packs no weights that are cast at every use', () => {
  expect(choosePacking(parameters('bf16'), undefined, 1e9)).toMatchObject({
    packed: false,
    reason: expect.stringContaining('bf16'),
  });
});

it('does as it is told', () => {
  expect(choosePacking(parameters('f32'), false, 1e9).packed).toBe(false);
  expect(choosePacking(parameters('f32'), true, 1).packed).toBe(true);
});
