import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkAgreement } from '../../src/checkpoint/agree.ts';
import { type Adapter, readAdapter, writeAdapter } from '../../src/checkpoint/peft.ts';
import { readSafetensorsHeader, readTensor, writeSafetensors } from '../../src/formats/safetensors.ts';
import { loadModelConfig } from '../../src/models/qwen2-vl/config.ts';
import { loraTargets } from '../../src/models/qwen2-vl/weights.ts';
import type { LoraTargets } from '../../src/nn/lora-targets.ts';

const fixtures = 'test/fixtures/adapters';
const sums: Record<string, Record<string, number>> = JSON.parse(
  readFileSync(`${fixtures}/sums.json`, 'utf8'),
);
let targets: LoraTargets;
let dir: string;
let count = 0;

beforeAll(async () => {
  targets = loraTargets(await loadModelConfig(`${fixtures}/base`));
  dir = await mkdtemp(path.join(tmpdir(), 'adapter-'));
});

const sumOf = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value, 0);

/** A copy of a fixture whose config and tensors a test may spoil. */
async function copyOf(name: string, config: Record<string, unknown> = {}): Promise<string> {
  const folder = path.join(dir, `copy-${count++}`);
  await cp(`${fixtures}/${name}`, folder, { recursive: true });
  const file = path.join(folder, 'adapter_config.json');
  const json = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...json, ...config }));
  return folder;
}

interface Stored {
  name: string;
  shape: number[];
  data: Float32Array;
}

async function withTensors(name: string, change: (tensors: Stored[]) => Stored[]): Promise<string> {
  const folder = await copyOf(name);
  const file = path.join(folder, 'adapter_model.safetensors');
  const { tensors } = await readSafetensorsHeader(file);
  const stored: Stored[] = [];
  for (const [key, location] of tensors) {
    stored.push({ name: key, shape: location.shape, data: await readTensor(location) });
  }
  await writeSafetensors(
    file,
    change(stored).map((tensor) => ({ ...tensor, dtype: 'f32' as const })),
  );
  return folder;
}

const reading = (folder: string) => readAdapter(folder, targets);
const refusal = (words: string) => ({ code: 'adapter', message: expect.stringContaining(words) });

describe('reading what PEFT wrote', () => {
  it('reads the decoder adapter with its rank, scale and modules', async () => {
    const { config, tensors } = await reading(`${fixtures}/decoder`);
    expect(config).toMatchObject({ rank: 2, alpha: 8, dropout: 0.05, rslora: false, baseModel: 'tiny-base' });
    expect(config.targetModules).toHaveLength(14);
    expect(tensors.size).toBe(28);
    const { shape, values } = tensors.get('model.language_model.layers.1.mlp.down_proj.lora_B.weight')!;
    expect([shape, values.length]).toEqual([[16, 2], 32]);
  });

  it.each(Object.keys(sums))('gives every value of %s', async (name) => {
    const { tensors } = await reading(`${fixtures}/${name}`);
    const found = [...tensors.values()].map(({ values }) => sumOf(values)).sort((a, b) => a - b);
    const expected = Object.values(sums[name]).sort((a, b) => a - b);
    expect(found).toHaveLength(expected.length);
    for (let i = 0; i < found.length; i++) expect(found[i]).toBeCloseTo(expected[i], 10);
  });

  it('reads rsLoRA chosen by a regex', async () => {
    const { config } = await reading(`${fixtures}/regex-rslora`);
    expect(config).toMatchObject({ rank: 2, alpha: 3, rslora: true });
    expect(config.targetModules).toEqual([
      'model.visual.blocks.0.attn.proj',
      'model.visual.blocks.1.attn.proj',
      'model.visual.merger.mlp.0',
      'model.visual.merger.mlp.2',
      'model.language_model.layers.1.self_attn.q_proj',
    ]);
  });

  it('finds the same adapter under old stems and with the adapter name in the keys', async () => {
    const [modern, old] = [await reading(`${fixtures}/all-linear`), await reading(`${fixtures}/old-stems`)];
    expect(old.config.targetModules).toEqual(modern.config.targetModules);
    expect(Object.fromEntries(old.tensors)).toEqual(Object.fromEntries(modern.tensors));
    const [plain, infix] = [await reading(`${fixtures}/decoder`), await reading(`${fixtures}/default-infix`)];
    expect(Object.fromEntries(infix.tensors)).toEqual(Object.fromEntries(plain.tensors));
  });
});

describe('an adapter that cannot be used', () => {
  it.each([
    [{ peft_type: 'IA3' }, 'peft_type expected "LORA", got "IA3"'],
    [{ use_dora: true }, 'use_dora expected none, got true: DoRA'],
    [{ modules_to_save: ['lm_head'] }, 'modules_to_save expected none, got ["lm_head"]'],
    [{ rank_pattern: { q_proj: 4 } }, 'rank_pattern expected none'],
    [{ alpha_pattern: { q_proj: 4 } }, 'alpha_pattern expected none'],
    [{ bias: 'all' }, 'bias expected "none", got "all"'],
    [{ lora_bias: true }, 'lora_bias expected none'],
    [{ fan_in_fan_out: true }, 'fan_in_fan_out expected none'],
    [{ layer_replication: [[0, 2]] }, 'layer_replication expected none'],
    [{ init_lora_weights: 'pissa_niter_4' }, 'changes the base too'],
    [{ r: 0 }, 'r expected a whole number above 0, got 0'],
    [{ r: '8' }, 'r expected a whole number above 0, got "8"'],
    [{ lora_alpha: -1 }, 'lora_alpha expected a number above 0'],
    [{ lora_dropout: 1 }, 'lora_dropout expected'],
    [{ r: 4 }, 'expected [4, 16] (rank and sizes of the model), got [2, 16]'],
    [
      { target_modules: ['q_proj', 'qkv'] },
      'targets model.visual.blocks.0.attn.qkv, but the file has no tensors',
    ],
  ])('is refused for %j', async (config, words) => {
    await expect(reading(await copyOf('decoder', config))).rejects.toMatchObject(refusal(words));
  });

  it('is read where a key is neutral, unknown or narrows the targets', async () => {
    const neutral = {
      modules_to_save: [],
      rank_pattern: null,
      bias: null,
      new_key: 3,
      init_lora_weights: 'gaussian',
    };
    await reading(await copyOf('decoder', neutral));
    await reading(await copyOf('decoder', { target_modules: ['q_proj', 'qkv'], exclude_modules: ['qkv'] }));
  });

  it('names tensors that are left over', async () => {
    const extra = (name: string) => (stored: Stored[]) => [
      ...stored,
      { name, shape: [2, 16], data: new Float32Array(32) },
    ];
    const other = await withTensors(
      'decoder',
      extra('base_model.model.model.language_model.layers.2.mlp.up_proj.lora_A.weight'),
    );
    await expect(reading(other)).rejects.toMatchObject(
      refusal('1 tensors belong to no linear layer of the model: model.language_model.layers.2'),
    );
    const head = await withTensors('decoder', extra('base_model.model.lm_head.lora_A.weight'));
    await expect(reading(head)).rejects.toMatchObject(refusal('other targets are not supported'));
    const bare = await withTensors(
      'decoder',
      extra('model.language_model.layers.0.self_attn.q_proj.lora_A.weight'),
    );
    await expect(reading(bare)).rejects.toMatchObject(refusal('belong to no linear layer'));
  });

  it('names what is missing, misshaped or double', async () => {
    const without = await withTensors('decoder', (stored) =>
      stored.filter(({ name }) => !/0\.self_attn\.q_proj\.lora_B/.test(name)),
    );
    await expect(reading(without)).rejects.toMatchObject(refusal('is missing while its other half is there'));
    const flipped = await withTensors('decoder', (stored) =>
      stored.map((tensor) =>
        /0\.self_attn\.q_proj\.lora_A/.test(tensor.name) ? { ...tensor, shape: [16, 2] } : tensor,
      ),
    );
    await expect(reading(flipped)).rejects.toMatchObject(refusal('got [16, 2]'));
    const double = await withTensors('decoder', (stored) => [
      ...stored,
      { ...stored[0], name: stored[0].name.replace('model.language_model', 'model') },
    ]);
    await expect(reading(double)).rejects.toMatchObject(refusal('stands under two names'));
    const none = await withTensors('decoder', () => []);
    await expect(reading(none)).rejects.toMatchObject(refusal('holds no LoRA tensor'));
  });

  it('is refused with values that are not finite', async () => {
    const broken = await withTensors('decoder', (stored) => {
      stored[3].data[1] = Number.NaN;
      return stored;
    });
    await expect(reading(broken)).rejects.toMatchObject(refusal('values that are not finite'));
  });

  it('is refused where files are missing or broken', async () => {
    await expect(reading(path.join(dir, 'nowhere'))).rejects.toMatchObject(refusal('no such folder'));
    await expect(reading(dir)).rejects.toMatchObject(refusal('holds no adapter_config.json'));
    const run = path.join(dir, 'run');
    await mkdir(path.join(run, 'adapter'), { recursive: true });
    await writeFile(path.join(run, 'run.json'), '{}');
    await expect(reading(run)).rejects.toThrow('It is the folder of a run: name adapter/ in it.');
    const pickled = await copyOf('decoder');
    await rm(path.join(pickled, 'adapter_model.safetensors'));
    await writeFile(path.join(pickled, 'adapter_model.bin'), '');
    await expect(reading(pickled)).rejects.toMatchObject(refusal('safe_serialization=True'));
    const cut = await copyOf('decoder');
    const file = path.join(cut, 'adapter_model.safetensors');
    await writeFile(file, (await readFile(file)).subarray(0, 5000));
    await expect(reading(cut)).rejects.toMatchObject(refusal('past the end of the file'));
    const noJson = await copyOf('decoder');
    await writeFile(path.join(noJson, 'adapter_config.json'), '{');
    await expect(reading(noJson)).rejects.toMatchObject(refusal('is not valid JSON'));
  });
});

describe('writing', () => {
  const write = async (adapter: Adapter, name = `written-${count++}`) => {
    const folder = path.join(dir, name);
    await writeAdapter(folder, adapter, targets);
    return folder;
  };

  it.each(['decoder', 'regex-rslora', 'all-linear', 'old-stems'])('reads %s back as it was', async (name) => {
    const adapter = await reading(`${fixtures}/${name}`);
    const folder = await write(adapter);
    expect(await readdir(folder)).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    expect(await reading(folder)).toEqual(adapter);
  });

  it('writes the keys, the fields and the metadata that PEFT reads', async () => {
    const folder = await write(await reading(`${fixtures}/old-stems`));
    const { tensors, metadata } = await readSafetensorsHeader(path.join(folder, 'adapter_model.safetensors'));
    const theirs = await readSafetensorsHeader(`${fixtures}/all-linear/adapter_model.safetensors`);
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    const json = JSON.parse(await readFile(path.join(folder, 'adapter_config.json'), 'utf8'));
    const reference = JSON.parse(readFileSync(`${fixtures}/all-linear/adapter_config.json`, 'utf8'));
    const { target_modules: suffixes, ...fields } = json;
    expect(reference).toMatchObject(fields);
    expect(suffixes).toEqual([
      ...[
        'attn.proj',
        'down_proj',
        'fc1',
        'fc2',
        'gate_proj',
        'k_proj',
        'mlp.0',
        'mlp.2',
        'o_proj',
        'q_proj',
      ],
      ...['qkv', 'up_proj', 'v_proj'],
    ]);
  });

  it('replaces an adapter whole, and nothing else', async () => {
    const adapter = await reading(`${fixtures}/decoder`);
    const folder = await write(adapter, 'same');
    await write(await reading(`${fixtures}/regex-rslora`), 'same');
    expect((await reading(folder)).config.rank).toBe(2);
    expect((await readdir(dir)).filter((name) => name.startsWith('.'))).toEqual([]);
    await mkdir(path.join(dir, 'thesis'));
    await writeFile(path.join(dir, 'thesis', 'thesis.tex'), 'x');
    await expect(write(adapter, 'thesis')).rejects.toMatchObject(
      refusal('holds something else than an adapter'),
    );
    expect(await readdir(path.join(dir, 'thesis'))).toEqual(['thesis.tex']);
  });

  it('refuses what it could not read back', async () => {
    const { config, tensors } = await reading(`${fixtures}/decoder`);
    const [first, ...rest] = tensors;
    await expect(write({ config, tensors: new Map(rest) })).rejects.toMatchObject(refusal('other half'));
    const spoilt = new Map([...tensors, ['model.x.lora_A.weight', first[1]] as const]);
    await expect(write({ config, tensors: spoilt })).rejects.toMatchObject(
      refusal('belong to no linear layer'),
    );
    await expect(write({ config: { ...config, rank: 3 }, tensors })).rejects.toMatchObject(
      refusal('expected [3, '),
    );
  });
});

describe('checkAgreement', () => {
  it('takes what was written and agrees, and tells every difference', async () => {
    const { config } = await reading(`${fixtures}/decoder`);
    const check = (written: Parameters<typeof checkAgreement>[0]) => () =>
      checkAgreement(written, config, targets.modules);
    const seven = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
    expect(check({})).not.toThrow();
    expect(check({ rank: 2, alpha: 8, targetModules: seven })).not.toThrow();
    expect(check({ targetModules: 'model\\.language_model\\..*' })).not.toThrow();
    expect(check({ rank: 4 })).toThrow('lora disagrees with the adapter: rank 4 instead of 2.');
    expect(check({ rslora: true })).toThrow('scale 8 / sqrt(2) instead of 8 / 2');
    expect(check({ alpha: 16 })).toThrow('scale 16 / 2 instead of 8 / 2');
    expect(check({ rank: 4, targetModules: ['q_proj', 'qkv'] })).toThrow(
      /rank 4 instead of 2; modules beyond it: model\.visual\.blocks\.0\.attn\.qkv, model\.visual\.blocks\.1\.attn\.qkv; without its modules: .* and 9 more/,
    );
  });
});
