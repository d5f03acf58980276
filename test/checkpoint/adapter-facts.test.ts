import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compareAdapters } from '../../src/checkpoint/adapter-compare.ts';
import { readAdapterFacts } from '../../src/checkpoint/adapter-facts.ts';
import { checkAdapterFit } from '../../src/checkpoint/adapter-fit.ts';
import { writeAdapterFolder } from './merged-case.ts';

const fixtures = 'test/fixtures/adapters';
const root = mkdtempSync(path.join(tmpdir(), 'lorikeet-facts-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;

type Matrix = [shape: [number, number], ...values: number[]];

async function adapter(matrices: Record<string, Matrix>, settings = {}): Promise<string> {
  const dir = path.join(root, String(count++));
  const tensors = Object.entries(matrices).map(
    ([key, [shape, ...values]]) => [key, { shape, values: Float32Array.from(values) }] as const,
  );
  const lora = { rank: 1, alpha: 2, rslora: false, targetModules: ['q_proj'], ...settings };
  await writeAdapterFolder(dir, lora, new Map(tensors));
  return dir;
}

/** A copy of a fixture with another config. */
function copyOf(name: string, changes: object): string {
  const dir = path.join(root, String(count++));
  cpSync(path.join(fixtures, name), dir, { recursive: true });
  const file = path.join(dir, 'adapter_config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }));
  return dir;
}

const key = (layer: number, half: string, module = 'self_attn.q_proj') =>
  `base_model.model.model.language_model.layers.${layer}.${module}.lora_${half}.weight`;

describe('what is in an adapter', () => {
  it('is told by module and by kind', async () => {
    const dir = await adapter({
      [key(10, 'A')]: [[1, 2], 3, 4], // |A| 5, |B| 2, |2 B A| 20
      [key(10, 'B')]: [[2, 1], 0, 2],
      [key(9, 'A')]: [[1, 2], 0, 1], // |A| 1, B untrained
      [key(9, 'B')]: [[2, 1], 0, 0],
    });
    const facts = await readAdapterFacts(dir);
    expect(facts.settings).toEqual({
      rank: 1,
      alpha: 2,
      scale: 2,
      rslora: false,
      dropout: 0,
      baseModel: 'tiny',
    });
    expect(facts.modules.map(({ layer }) => layer)).toEqual([9, 10]);
    expect(facts.modules[1]).toEqual({
      name: 'model.language_model.layers.10.self_attn.q_proj',
      kind: 'language_model.layers.N.self_attn.q_proj',
      layer: 10,
      rank: 1,
      inFeatures: 2,
      outFeatures: 2,
      parameters: 4,
      normA: 5,
      normB: 2,
      normUpdate: 20,
      trained: true,
    });
    expect(facts.kinds).toEqual([
      {
        kind: 'language_model.layers.N.self_attn.q_proj',
        modules: 2,
        layers: 2,
        parameters: 8,
        normA: 3,
        normB: 1,
        normUpdate: 10,
        leastUpdate: 0,
        mostUpdate: 20,
      },
    ]);
    expect(facts).toMatchObject({ layers: 2, parameters: 8, dtypes: ['f32'], bytes: 32, normUpdate: 20 });
    expect(facts.untrained).toEqual(['model.language_model.layers.9.self_attn.q_proj']);
  });

  it('has the scale of rsLoRA', async () => {
    const { settings, modules } = await readAdapterFacts(`${fixtures}/regex-rslora`);
    expect(settings).toMatchObject({ rank: 2, alpha: 3, rslora: true });
    expect(settings.scale).toBeCloseTo(3 / Math.SQRT2, 12);
    expect(modules).toHaveLength(5);
  });

  it('is the same under old stems and with the name of the adapter in the keys', async () => {
    const facts = async (name: string) => ({ ...(await readAdapterFacts(`${fixtures}/${name}`)), dir: '' });
    expect(await facts('old-stems')).toEqual(await facts('all-linear'));
    expect(await facts('default-infix')).toEqual(await facts('decoder'));
  });

  it('is told with what spoils it', async () => {
    const spoilt = await adapter({
      [key(0, 'A')]: [[1, 2], Number.NaN, 1],
      [key(0, 'B')]: [[2, 1], 0, 0],
      [key(1, 'A')]: [[1, 2], 1, 1],
      [key(1, 'B')]: [[2, 1], Number.POSITIVE_INFINITY, 0],
      [key(2, 'A')]: [[1, 2], 1, 1],
      [key(3, 'A')]: [[1, 2], 1, 1],
      [key(3, 'B')]: [[1, 2], 1, 1],
      'base_model.model.lm_head.modules_to_save.weight': [[1, 1], 1],
      'base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector': [[1, 1], 1],
    });
    const facts = await readAdapterFacts(spoilt);
    const q = (layer: number) => `model.language_model.layers.${layer}.self_attn.q_proj`;
    expect(facts.notFinite).toEqual([q(0), q(1)]);
    expect(facts.broken).toEqual([q(2), q(3)]);
    expect(facts.otherTensors).toHaveLength(2);
    expect(facts.normUpdate).toBeNull();
    expect(JSON.parse(JSON.stringify(facts)).modules[1].normB).toBeNull();
  });

  it('is told with what is not supported, by name; other kinds than LoRA are refused', async () => {
    const dir = copyOf('decoder', {
      use_dora: true,
      modules_to_save: ['lm_head'],
      init_lora_weights: 'pissa',
    });
    const { unsupported, modules } = await readAdapterFacts(dir);
    expect(modules).toHaveLength(14);
    expect(unsupported).toEqual([
      'use_dora expected none, got true: DoRA also trains magnitudes',
      'modules_to_save expected none, got ["lm_head"]: it holds whole modules besides LoRA',
      'init_lora_weights "pissa" changes the base too',
    ]);
    await expect(readAdapterFacts(copyOf('decoder', { peft_type: 'IA3' }))).rejects.toThrow(
      'peft_type expected "LORA", got "IA3"',
    );
    await expect(readAdapterFacts(path.join(fixtures, 'base'))).rejects.toThrow(
      'holds no adapter_config.json',
    );
  });
});

describe('two adapters', () => {
  it('are compared by settings, modules, difference and direction', async () => {
    // 2 B A: the first has 2 [[3, 4], [0, 0]], the second 4 [[3, 4], [3, 4]].
    const first = await adapter({
      [key(0, 'A')]: [[1, 2], 3, 4],
      [key(0, 'B')]: [[2, 1], 1, 0],
      [key(1, 'A')]: [[1, 2], 1, 1],
      [key(1, 'B')]: [[2, 1], 1, 1],
    });
    const second = await adapter(
      {
        [key(0, 'A')]: [[1, 2], 3, 4],
        [key(0, 'B')]: [[2, 1], 1, 1],
        [key(0, 'A', 'self_attn.v_proj')]: [[1, 2], 1, 1],
        [key(0, 'B', 'self_attn.v_proj')]: [[2, 1], 1, 1],
      },
      { alpha: 4 },
    );
    const { settings, onlyFirst, onlySecond, kinds, all } = await compareAdapters(first, second);
    expect(settings).toEqual([
      { setting: 'alpha', first: 2, second: 4 },
      { setting: 'scale', first: 2, second: 4 },
    ]);
    expect(onlyFirst).toEqual(['model.language_model.layers.1.self_attn.q_proj']);
    expect(onlySecond).toEqual(['model.language_model.layers.0.self_attn.v_proj']);
    expect(kinds).toEqual([{ kind: 'language_model.layers.N.self_attn.q_proj', ...all }]);
    expect(all).toMatchObject({ modules: 1, normFirst: 10 });
    expect(all.normSecond).toBeCloseTo(20 * Math.SQRT2, 10);
    // second - first = [[6, 8], [12, 16]], squares 500 over 100; inner product 200 over 10 * 28.28.
    expect(all.relativeDifference).toBeCloseTo(Math.sqrt(5), 10);
    expect(all.cosine).toBeCloseTo(Math.SQRT1_2, 10);
  });

  it('are the same where they are, whatever their keys', async () => {
    const { settings, onlyFirst, onlySecond, kinds, all } = await compareAdapters(
      `${fixtures}/all-linear`,
      `${fixtures}/old-stems`,
    );
    expect([settings, onlyFirst, onlySecond]).toEqual([[], [], []]);
    expect(kinds).toHaveLength(13);
    expect(all).toMatchObject({ modules: 24, relativeDifference: 0 });
    expect(all.cosine).toBeCloseTo(1, 12);
  });

  it('have no direction where one was never trained, and no difference where sizes differ', async () => {
    const trained = await adapter({ [key(0, 'A')]: [[1, 2], 3, 4], [key(0, 'B')]: [[2, 1], 1, 0] });
    const fresh = await adapter({ [key(0, 'A')]: [[1, 2], 3, 4], [key(0, 'B')]: [[2, 1], 0, 0] });
    const wide = await adapter({ [key(0, 'A')]: [[1, 3], 3, 4, 5], [key(0, 'B')]: [[2, 1], 1, 0] });
    expect((await compareAdapters(fresh, trained)).all).toMatchObject({
      relativeDifference: null,
      cosine: null,
    });
    expect((await compareAdapters(trained, fresh)).all).toMatchObject({
      relativeDifference: 1,
      cosine: null,
    });
    expect(await compareAdapters(trained, wide)).toMatchObject({
      misshapen: ['model.language_model.layers.0.self_attn.q_proj'],
      all: { modules: 0 },
    });
  });
});

describe('an adapter beside a base', () => {
  it('fits where every tensor has its place', async () => {
    const fit = await checkAdapterFit(`${fixtures}/all-linear`, `${fixtures}/base`);
    expect(fit).toEqual({ model: `${fixtures}/base`, fits: true, tensors: 48, problems: [] });
  });

  it('does not where one has none, another size, a half or a kind that is not supported', async () => {
    const dir = await adapter({
      [key(0, 'A')]: [[1, 17], ...new Array(17).fill(1)],
      [key(0, 'B')]: [[16, 1], ...new Array(16).fill(1)],
      [key(5, 'A')]: [[1, 2], 1, 1],
      [key(5, 'B')]: [[2, 1], 1, 1],
      [key(1, 'A')]: [[1, 2], 1, 1],
      'base_model.model.lm_head.weight': [[1, 1], 1],
    });
    const { fits, problems } = await checkAdapterFit(dir, `${fixtures}/base`);
    expect(fits).toBe(false);
    expect(problems).toEqual([
      'base_model.model.lm_head.weight is no LoRA of a linear layer',
      'model.language_model.layers.1.self_attn.q_proj lacks a half, or its halves do not fit each other',
      'model.language_model.layers.0.self_attn.q_proj expected 16 inputs and 16 outputs, got 17 and 16',
      'model.language_model.layers.5.self_attn.q_proj is no linear layer of the model',
    ]);
    expect(
      (await checkAdapterFit(copyOf('decoder', { use_dora: true }), `${fixtures}/base`)).problems,
    ).toEqual(['use_dora expected none, got true: DoRA also trains magnitudes']);
  });

  it('does not where the reader itself refuses it', async () => {
    const { fits, problems } = await checkAdapterFit(
      copyOf('decoder', { target_modules: ['q_proj', 'qkv'] }),
      `${fixtures}/base`,
    );
    expect(fits).toBe(false);
    expect(problems[0]).toMatch(
      /targets model\.visual\.blocks\.0\.attn\.qkv, but the file has no tensors for it/,
    );
  });

  it('needs a base that can be read', async () => {
    await expect(checkAdapterFit(`${fixtures}/decoder`, path.join(root, 'none'))).rejects.toThrow(
      'no such folder',
    );
  });
});
