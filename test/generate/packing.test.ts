import { expect, it } from 'vitest';
import type { DType } from '../../src/dtype.ts';
import { choosePacking } from '../../src/generate/packing.ts';
import type { Parameter } from '../../src/nn/network.ts';

const matrix = 'model.language_model.layers.0.mlp.up_proj.weight';
const table = 'model.language_model.embed_tokens.weight';

/** Matrices of 25,000 weights each: 100 kB in f32, 50 kB in halves. */
const parameters = (dtype: DType, ...names: string[]): ReadonlyMap<string, Parameter> =>
  new Map(
    [...names, 'model.visual.blocks.0.mlp.fc1.weight'].map((name) => {
      const byteLength = dtype === 'f32' ? 100_000 : 50_000;
      const location = { file: 'm', dtype, shape: [100, 250], offset: 0, byteLength };
      return [name, { name, shape: [100, 250], role: 'frozen', location }];
    }),
  );

const packs = (given: ReadonlyMap<string, Parameter>, available: number) =>
  choosePacking(given, undefined, available).after < Infinity;

it.each(['f32', 'bf16'] as const)(
  'packs where an f32 copy of %s matrices fits into half of the memory',
  (dtype) => {
    expect(packs(parameters(dtype, matrix), 200_000)).toBe(true);
    expect(packs(parameters(dtype, matrix), 199_999)).toBe(false);
  },
);

it('waits until packing pays, which is sooner where halves are cast', () => {
  expect(choosePacking(parameters('f32', matrix), undefined, 1e9).after).toBe(512);
  expect(choosePacking(parameters('bf16', matrix), undefined, 1e9).after).toBe(32);
});

it('counts an embedding table only where it is the head', () => {
  expect(packs(parameters('f32', matrix, table), 399_999)).toBe(false);
  expect(packs(parameters('f32', matrix, table, 'lm_head.weight'), 400_000)).toBe(true);
});

it('does as it is told', () => {
  expect(choosePacking(parameters('f32', matrix), false, 1e9).after).toBe(Infinity);
  expect(choosePacking(parameters('f32', matrix), true, 1)).toEqual({ after: 0, reason: 'as asked' });
});
