import { describe, expect, it } from 'vitest';
import { selectModules, selectParameters, suffixesFor } from '../../src/nn/lora-targets.ts';

const names = [
  'a.blocks.0.attn.proj',
  'a.blocks.0.attn.qkv',
  'a.blocks.1.attn.proj',
  'b.layers.0.q_proj',
  'b.mlp.0',
];
const modules = names.map((name) => ({ name }));

describe('selectModules', () => {
  it('keeps the order of the model, and selects each module once', () => {
    expect(selectModules(modules, ['q_proj', 'proj', 'attn.proj'])).toEqual([names[0], names[2], names[3]]);
  });

  it('says which entry matches nothing, and what there is', () => {
    expect(() => selectModules(modules, ['q_proj', 'k_proj'])).toThrow(
      /entry "k_proj" matches nothing\. .*There are: a\.blocks\.N\.attn\.proj, a\.blocks\.N\.attn\.qkv, b\.layers\.N\.q_proj/,
    );
    expect(() => selectModules(modules, [])).toThrow('empty list');
    expect(() => selectModules(modules, [''])).toThrow('entry "" matches nothing');
  });

  it('matches a regex against the whole name, in Python spelling', () => {
    expect(selectModules(modules, '.*proj')).toHaveLength(3);
    expect(selectModules(modules, '\\Aa|b\\.mlp\\.0\\Z')).toEqual(['b.mlp.0']);
    expect(() => selectModules(modules, 'proj')).toThrow('regex proj matches no whole name');
    expect(() => selectModules(modules, '(')).toThrow('is not a valid regex');
  });

  it('ends a regex that would take for ever', () => {
    const long = [{ name: 'a'.repeat(60) }];
    expect(() => selectModules(long, '(a+)+b')).toThrow('regex (a+)+b takes more than 10 s');
  }, 30_000);
});

describe('selectParameters', () => {
  it('selects all, by suffix, by regex', () => {
    const parameters = [{ name: 'x.norm.weight' }, { name: 'x.q.weight' }, { name: 'x.q.bias' }];
    expect(selectParameters(parameters, 'all')).toHaveLength(3);
    expect(selectParameters(parameters, ['norm.weight', 'bias'])).toEqual(['x.norm.weight', 'x.q.bias']);
    expect(selectParameters(parameters, '.*\\.q\\..*')).toEqual(['x.q.weight', 'x.q.bias']);
    expect(() => selectParameters(parameters, ['q'])).toThrow('full.parameters entry "q" matches nothing');
  });
});

describe('suffixesFor', () => {
  const all = [...names, 'a.patch_embed.proj', 'a.blocks.0', 'b.layers.1.q_proj'];

  it('avoids modules that were not selected', () => {
    expect(suffixesFor([names[0], names[2]], all)).toEqual(['attn.proj']);
    expect(suffixesFor([names[3]], all)).toEqual(['layers.0.q_proj']);
    expect(suffixesFor([names[4], names[1]], all)).toEqual(['mlp.0', 'qkv']);
  });
});
