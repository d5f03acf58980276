import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TensorLocation, writeSafetensors } from '../../../src/formats/safetensors.ts';
import { parseModelConfig, type Qwen2VLConfig } from '../../../src/models/qwen2-vl/config.ts';
import {
  canonicalName,
  hubName,
  linearModules,
  locateWeights,
  loraTargets,
  openModelWeights,
  parameterTable,
} from '../../../src/models/qwen2-vl/weights.ts';
import { selectModules, suffixesFor } from '../../../src/nn/lora-targets.ts';

type Shapes = Record<string, number[]>;
interface Names {
  parameters: { tied: Shapes; untied: Shapes };
  stored: { tied: Shapes; untied: Shapes };
  selections: { targetModules: string | string[]; modules: string[] }[];
  refused: (string | string[])[];
}
const names: Names = JSON.parse(readFileSync('test/fixtures/adapters/names.json', 'utf8'));
const configs = JSON.parse(readFileSync('test/fixtures/adapters/configs.json', 'utf8'));
const configOf = (key: 'tied' | 'untied'): Qwen2VLConfig =>
  parseModelConfig(
    configs[`nested-top-${key === 'tied' ? 'True' : 'False'}-text-None`].config,
    'config.json',
  );

function locations(shapes: Shapes, rename = (name: string) => name): Map<string, TensorLocation> {
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      rename(name),
      { file: 'model.safetensors', dtype: 'f32', shape, offset: 0, byteLength: 0 },
    ]),
  );
}

describe.each(['tied', 'untied'] as const)('a checkpoint with a head that is %s', (key) => {
  const config = configOf(key);

  it('has the parameters of the torch module', () => {
    const table = Object.fromEntries(parameterTable(config).map(({ name, shape }) => [name, shape]));
    expect(table).toEqual(names.parameters[key]);
  });

  it('is found under the names that transformers writes, and under the new ones', () => {
    const old = locateWeights(config, locations(names.stored[key]));
    expect([...old.keys()].sort()).toEqual(Object.keys(names.parameters[key]).sort());
    expect(locateWeights(config, locations(names.parameters[key])).size).toBe(old.size);
    expect(Object.keys(names.parameters[key]).map(hubName).sort()).toEqual(
      Object.keys(names.stored[key]).sort(),
    );
    expect(Object.keys(names.stored[key]).map(canonicalName).sort()).toEqual(
      Object.keys(names.parameters[key]).sort(),
    );
  });
});

describe('locateWeights', () => {
  const config = configOf('tied');
  const stored = names.stored.tied;

  it('lists what is missing, extra and misshaped', () => {
    const { 'model.norm.weight': _, ...rest } = stored;
    const wrong = {
      ...rest,
      'model.layers.0.mlp.up_proj.weight': [24, 15],
      'model.layers.2.mlp.up_proj.weight': [1],
    };
    expect(() => locateWeights(config, locations(wrong))).toThrow(
      /3 tensors disagree .*: model\.norm\.weight is missing, expected \[16\].*up_proj\.weight expected \[24, 16\], got \[24, 15\].*model\.layers\.2\.mlp\.up_proj\.weight is extra/,
    );
  });

  it.each(['i8', 'f64'] as const)('names a single tensor that is wrong, here of %s', (dtype) => {
    const integers = locations(stored);
    integers.set('model.norm.weight', { ...integers.get('model.norm.weight')!, dtype });
    expect(() => locateWeights(config, integers)).toThrow(
      `tensor model.norm.weight: expected f32, f16 or bf16, got ${dtype}`,
    );
  });

  it('names tensors as the file does, in the new naming too', () => {
    const renamed = Object.fromEntries(Object.entries(stored).map(([k, v]) => [canonicalName(k), v]));
    const { 'model.language_model.norm.weight': _, ...rest } = renamed;
    expect(() => locateWeights(config, locations(rest))).toThrow(
      'tensor model.language_model.norm.weight: is missing, expected [16]',
    );
  });

  it('refuses one tensor under two names', () => {
    const twice = { ...stored, 'model.language_model.norm.weight': [16] };
    expect(() => locateWeights(config, locations(twice))).toThrow('under its old and its new name');
  });

  it('takes the patch embedding as a matrix', () => {
    const flat = { ...stored, 'visual.patch_embed.proj.weight': [16, 96] };
    expect(locateWeights(config, locations(flat)).size).toBe(Object.keys(stored).length);
    const wrong = { ...stored, 'visual.patch_embed.proj.weight': [96, 16] };
    expect(() => locateWeights(config, locations(wrong))).toThrow('patch_embed');
  });

  it('leaves a stored head out where it is tied, and takes it where the table is missing', () => {
    const both: Shapes = { ...stored, 'lm_head.weight': [64, 16] };
    expect(locateWeights(config, locations(both)).has('lm_head.weight')).toBe(false);
    const { 'model.embed_tokens.weight': _, ...headAlone } = both;
    expect(locateWeights(config, locations(headAlone)).has('model.language_model.embed_tokens.weight')).toBe(
      true,
    );
  });
});

describe('openModelWeights', () => {
  const tensors = Object.entries(names.stored.tied).map(([name, shape]) => ({
    name,
    dtype: 'bf16' as const,
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  }));
  const head = (value: number) => ({
    name: 'lm_head.weight',
    dtype: 'bf16' as const,
    shape: [64, 16],
    data: new Float32Array(1024).fill(value),
  });

  it('accepts a stored head that equals the tied table and refuses one that does not', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'weights-'));
    const file = path.join(dir, 'model.safetensors');
    await writeSafetensors(file, [...tensors, head(0)]);
    expect((await openModelWeights(dir, configOf('tied'))).size).toBe(tensors.length);
    await writeSafetensors(file, [...tensors, head(1)]);
    await expect(openModelWeights(dir, configOf('tied'))).rejects.toThrow('differs from the embedding table');
    expect((await openModelWeights(dir, configOf('untied'))).size).toBe(tensors.length + 1);
  });
});

describe('LoRA targets', () => {
  const config = configOf('untied');
  const targets = loraTargets(config);

  it('are the linear layers with their sizes', () => {
    const shapes = names.parameters.untied;
    for (const { name, inFeatures, outFeatures } of linearModules(config)) {
      expect(shapes[`${name}.weight`]).toEqual([outFeatures, inFeatures]);
    }
  });

  it.each(names.selections)('$targetModules selects what PEFT selects', ({ targetModules, modules }) => {
    const selected = selectModules(targets.modules, targetModules);
    expect([...selected].sort()).toEqual([...modules].sort());
    // What we write for PEFT to read selects the same again.
    expect(selectModules(targets.modules, suffixesFor(selected, targets.moduleNames))).toEqual(selected);
  });

  it.each(names.refused)('%s is refused as PEFT refuses it', (targetModules) => {
    expect(() => selectModules(targets.modules, targetModules)).toThrow(/matches no/);
  });

  it('never are the patch embedding, though `proj` is its suffix', () => {
    const selected = selectModules(targets.modules, ['proj']);
    expect(selected).toEqual(['model.visual.blocks.0.attn.proj', 'model.visual.blocks.1.attn.proj']);
    expect(suffixesFor(selected, targets.moduleNames)).toEqual(['attn.proj']);
  });
});
