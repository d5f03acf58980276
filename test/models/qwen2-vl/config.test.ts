import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/formats/json.ts';
import {
  checkSpecialTokens,
  loadModelConfig,
  parseModelConfig,
  type Qwen2VLConfig,
} from '../../../src/models/qwen2-vl/config.ts';

type Case = { config: JsonObject; resolved: JsonObject & { vision: JsonObject } };
const cases: Record<string, Case> = JSON.parse(readFileSync('test/fixtures/adapters/configs.json', 'utf8'));
const flat = cases.flat.config;
const nested = cases['nested-top-True-text-None'].config;

const parse = (json: JsonObject): Qwen2VLConfig => parseModelConfig(json, 'config.json');
type Changes = Record<string, Json | undefined>;
/** Sets dotted keys; undefined removes one. */
const changed = (json: JsonObject, changes: Changes): JsonObject => {
  const copy = structuredClone(json);
  for (const [key, value] of Object.entries(changes)) {
    const [last, ...sections] = key.split('.').reverse();
    const section = sections.reduceRight((object, name) => object[name] as JsonObject, copy);
    if (value === undefined) delete section[last];
    else section[last] = value;
  }
  return copy;
};

describe('config.json', () => {
  it.each(Object.entries(cases))('reads %s as transformers does', (_, { config, resolved }) => {
    const { vision, ...text } = resolved;
    const found = parse(config);
    expect(found.text).toMatchObject(text);
    expect(found.vision).toMatchObject(vision);
    expect(found).toMatchObject({
      imageTokenId: 10,
      visionStartTokenId: 12,
      visionEndTokenId: 13,
      eosTokenIds: [2],
    });
  });

  it('reads a folder', async () => {
    const found = await loadModelConfig('test/fixtures/adapters/base');
    expect(found.text.headDim).toBe(8);
    expect(found.dtype).toBeUndefined();
    await expect(loadModelConfig('test/fixtures/nowhere')).rejects.toMatchObject({ code: 'checkpoint' });
  });

  it('knows no dtype by another name, and none that an object has of itself', () => {
    for (const dtype of [{}, [], 'constructor', '__proto__', 'float8', 16]) {
      expect(parse(changed(flat, { torch_dtype: dtype as Json })).dtype).toBeUndefined();
    }
    expect(parse(changed(flat, { torch_dtype: 'bfloat16' })).dtype).toBe('bf16');
  });

  it('takes transformers defaults for what transformers 4 left out because it equals them', () => {
    const found = parse(
      changed(flat, {
        hidden_size: 3584,
        num_attention_heads: 28,
        num_key_value_heads: 4,
        rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
        vision_config: { in_chans: 3, model_type: 'qwen2_vl', spatial_patch_size: 14 },
        rms_norm_eps: undefined,
      }),
    );
    expect(found.vision).toMatchObject({
      depth: 32,
      embedDim: 1280,
      heads: 16,
      mlpHidden: 5120,
      hiddenSize: 3584,
    });
    expect(found.text.rmsNormEps).toBe(1e-5);
  });

  it('reads null key/value heads as one for each head, and sides given for each axis', () => {
    const found = parse(
      changed(flat, {
        num_key_value_heads: null,
        'vision_config.patch_size': [4, 4],
        'vision_config.temporal_patch_size': [2],
      }),
    );
    expect([found.text.kvHeads, found.vision.patchSize, found.vision.temporalPatchSize]).toEqual([2, 4, 2]);
  });

  const broken: [string, Changes, string][] = [
    [
      'another architecture',
      { model_type: 'qwen2_5_vl' },
      'model_type expected "qwen2_vl", got "qwen2_5_vl"',
    ],
    ['no architecture', { model_type: undefined }, 'got null'],
    ['quantised weights', { quantization_config: { bits: 4 } }, 'quantization_config expected none'],
    ['a negative size', { hidden_size: -1 }, 'hidden_size expected an integer from 1'],
    ['a huge size', { vocab_size: 1e15 }, 'vocab_size expected an integer from 1 to'],
    ['too many layers', { num_hidden_layers: 1e6 }, 'num_hidden_layers expected an integer from 1 to 10000'],
    ['a size in words', { vocab_size: '64' }, 'vocab_size expected an integer from 1 to 16777216, got "64"'],
    ['heads that do not divide', { num_attention_heads: 3 }, 'expected a divisor of hidden_size 16, got 3'],
    ['groups that do not divide', { num_key_value_heads: 3 }, 'divisor of num_attention_heads 2, got 3'],
    ['another activation', { hidden_act: 'gelu' }, 'hidden_act expected "silu", got "gelu"'],
    [
      'another vision activation',
      { 'vision_config.hidden_act': 'silu' },
      'expected "quick_gelu", got "silu"',
    ],
    [
      'sliding windows',
      { use_sliding_window: true, sliding_window: 8, max_window_layers: 1 },
      'expected full attention in every layer',
    ],
    ['layers that slide', { layer_types: ['sliding_attention', 'full_attention'] }, 'full attention'],
    ['scaled positions', { 'rope_scaling.type': 'yarn' }, 'expected "mrope" or "default", got "yarn"'],
    ['sections that do not add up', { 'rope_scaling.mrope_section': [2, 2, 1] }, '2 + 2 + 1 = 5'],
    ['two sections', { 'rope_scaling.mrope_section': [2, 2] }, 'expected three non-negative integers'],
    ['an eps of 0', { rms_norm_eps: 0 }, 'rms_norm_eps expected a number above 0'],
    ['grey vision', { 'vision_config.in_chans': 1 }, 'expected 3 (RGB), got 1'],
    ['a merger into another width', { 'vision_config.hidden_size': 32 }, "text's hidden_size 16"],
    ['oblong patches', { 'vision_config.patch_size': [4, 8] }, 'expected equal sides'],
    ['odd vision heads', { 'vision_config.num_heads': 8 }, 'expected a multiple of 4 dimensions'],
    ['an id beyond the vocabulary', { image_token_id: 64 }, 'expected an id below vocab_size 64, got 64'],
    ['one id for two tokens', { image_token_id: 12 }, 'three different special ids'],
    ['an eos in words', { eos_token_id: '<|im_end|>' }, 'eos_token_id expected a token id'],
    ['dropout in attention', { attention_dropout: 0.1 }, 'attention_dropout expected 0, got 0.1'],
    ['another head size', { head_dim: 16 }, 'head_dim expected hidden_size / num_attention_heads = 8'],
  ];
  it.each(broken)('refuses %s', (_, change, words) => {
    expect(() => parse(changed(flat, change))).toThrow(words);
  });

  it('names the section of a nested file', () => {
    const json = changed(nested, { 'text_config.hidden_size': 0 });
    expect(() => parse(json)).toThrow('config.json: text_config.hidden_size expected');
  });

  const shared = '../shared/models/qwen2-vl';
  it.skipIf(!existsSync(shared))('reads the published 2B and 7B configs (skipped without ../shared)', () => {
    const two = parse(JSON.parse(readFileSync(`${shared}/config-2b.json`, 'utf8')));
    expect(two.text).toEqual({
      hiddenSize: 1536,
      layers: 28,
      heads: 12,
      kvHeads: 2,
      headDim: 128,
      intermediateSize: 8960,
      vocabSize: 151936,
      rmsNormEps: 1e-6,
      ropeTheta: 1e6,
      mropeSection: [16, 24, 24],
      tieWordEmbeddings: true,
    });
    expect(two).toMatchObject({ imageTokenId: 151655, eosTokenIds: [151645], dtype: 'bf16' });
    expect(two.vision).toMatchObject({
      depth: 32,
      embedDim: 1280,
      headDim: 80,
      mlpHidden: 5120,
      hiddenSize: 1536,
    });
    const seven = parse(JSON.parse(readFileSync(`${shared}/config-7b.json`, 'utf8')));
    expect(seven.text).toMatchObject({ hiddenSize: 3584, heads: 28, kvHeads: 4, tieWordEmbeddings: false });
  });
});

describe('checkSpecialTokens', () => {
  const config = parse(flat);
  const ids: Record<string, number> = {
    '<|image_pad|>': 10,
    '<|vision_start|>': 12,
    '<|vision_end|>': 13,
    '<|im_start|>': 3,
    '<|im_end|>': 2,
  };

  it('accepts the tokenizer of the model', () => {
    expect(() => checkSpecialTokens(config, (token) => ids[token])).not.toThrow();
  });

  it.each([
    ['<|image_pad|>', 11],
    ['<|vision_end|>', undefined],
    ['<|im_end|>', 64],
    ['<|im_start|>', undefined],
  ])('refuses %s at %s', (changedToken, id) => {
    const lookup = (token: string) => (token === changedToken ? id : ids[token]);
    expect(() => checkSpecialTokens(config, lookup)).toThrow(changedToken);
    expect(() => checkSpecialTokens(config, lookup)).toThrow('of different origin');
  });
});
