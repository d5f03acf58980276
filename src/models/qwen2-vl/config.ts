/**
 * Qwen2-VL's config.json, flat as on the hub or nested as transformers 5 writes it, as one checked structure.
 * What a file leaves out takes the default of transformers' own config classes: files saved by transformers 4
 * leave out whatever equals them.
 */
import path from 'node:path';
import type { DType } from '../../dtype.ts';
import { LorikeetError } from '../../errors.ts';
import { checkModelFolder } from '../../formats/checkpoint-folder.ts';
import { isObject, type Json, type JsonObject, readJsonObject } from '../../formats/json.ts';

export interface Qwen2VLTextConfig {
  /** D */
  hiddenSize: number;
  layers: number;
  /** H */
  heads: number;
  /** Each key/value head serves heads / kvHeads query heads. */
  kvHeads: number;
  headDim: number;
  intermediateSize: number;
  /** V */
  vocabSize: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** Rotary frequencies that turn with time, height and width; their sum is headDim / 2. */
  mropeSection: [time: number, height: number, width: number];
  /** The head is the embedding table. */
  tieWordEmbeddings: boolean;
}

export interface Qwen2VLVisionConfig {
  depth: number;
  embedDim: number;
  heads: number;
  headDim: number;
  mlpHidden: number;
  patchSize: number;
  temporalPatchSize: number;
  spatialMergeSize: number;
  inChannels: number;
  /** Width after the merger: the text decoder's hidden size. */
  hiddenSize: number;
  hiddenAct: 'quick_gelu';
  ropeTheta: number;
  layerNormEps: number;
}

export interface Qwen2VLConfig {
  text: Qwen2VLTextConfig;
  vision: Qwen2VLVisionConfig;
  imageTokenId: number;
  videoTokenId: number;
  visionStartTokenId: number;
  visionEndTokenId: number;
  /** Empty where config.json names none. */
  eosTokenIds: number[];
  /** What the weights are said to be stored as; each tensor's own header decides. */
  dtype: DType | undefined;
}

/** As its config.json and the folder of this model spell it. */
export const modelType = 'qwen2_vl';

const dtypes: Record<string, DType> = { float32: 'f32', float16: 'f16', bfloat16: 'bf16', float64: 'f64' };

/** Reads `dir`/config.json; throws `checkpoint` errors that name the key. */
export async function loadModelConfig(dir: string): Promise<Qwen2VLConfig> {
  await checkModelFolder(dir);
  const file = path.join(dir, 'config.json');
  return parseModelConfig(await readJsonObject(file, 'checkpoint', 4 * 1024 * 1024), file);
}

/** The same from JSON already read; `file` is for messages. */
export function parseModelConfig(json: JsonObject, file: string): Qwen2VLConfig {
  const top = new Section(json, file, '');
  checkModelType(top);
  const nested = isObject(json.text_config);
  const text = nested ? new Section(json.text_config as JsonObject, file, 'text_config.') : top;
  const vision = new Section(isObject(json.vision_config) ? json.vision_config : {}, file, 'vision_config.');
  const config: Qwen2VLConfig = {
    text: parseText(text, json.tie_word_embeddings === true || text.value('tie_word_embeddings') === true),
    vision: parseVision(vision),
    imageTokenId: top.integer('image_token_id', 151655, 0),
    videoTokenId: top.integer('video_token_id', 151656, 0),
    visionStartTokenId: top.integer('vision_start_token_id', 151652, 0),
    visionEndTokenId: top.integer('vision_end_token_id', 151653, 0),
    eosTokenIds: parseEos(text, top),
    dtype: dtypeOf(top.value('dtype') ?? top.value('torch_dtype') ?? text.value('dtype')),
  };
  checkAcross(config, top);
  return config;
}

function dtypeOf(name: Json | undefined): DType | undefined {
  return typeof name === 'string' && Object.hasOwn(dtypes, name) ? dtypes[name] : undefined;
}

function checkModelType(top: Section): void {
  const found = top.value('model_type');
  if (found !== modelType) {
    top.refuse(
      'model_type',
      `expected "qwen2_vl", got ${JSON.stringify(found ?? null)}`,
      'Qwen2-VL is the only architecture that is supported, for instance Qwen/Qwen2-VL-2B-Instruct; Qwen2.5-VL is another one.',
    );
  }
  if (top.value('quantization_config') != null) {
    const fix = 'Quantised weights cannot be trained on: use the bf16, f16 or f32 checkpoint.';
    top.refuse('quantization_config', 'expected none, got one', fix);
  }
}

function parseText(section: Section, tied: boolean): Qwen2VLTextConfig {
  const hiddenSize = section.integer('hidden_size', 8192);
  const heads = section.integer('num_attention_heads', 64);
  const layers = section.integer('num_hidden_layers', 80, 1, 10_000);
  const kvHeads =
    section.value('num_key_value_heads') === null ? heads : section.integer('num_key_value_heads', 8);
  section.only('hidden_act', 'silu');
  section.only('attention_dropout', 0);
  checkFullAttention(section, layers);
  section.divides('num_attention_heads', heads, 'hidden_size', hiddenSize);
  section.divides('num_key_value_heads', kvHeads, 'num_attention_heads', heads);
  const headDim = hiddenSize / heads;
  const stated = section.value('head_dim');
  if (stated != null && stated !== headDim) {
    section.refuse(
      'head_dim',
      `expected hidden_size / num_attention_heads = ${headDim}, got ${show(stated)}`,
    );
  }
  return {
    hiddenSize,
    layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: section.integer('intermediate_size', 29568),
    vocabSize: section.integer('vocab_size', 152064),
    rmsNormEps: section.positive('rms_norm_eps', 1e-5),
    ...parseRope(section, headDim),
    tieWordEmbeddings: tied,
  };
}

function checkFullAttention(section: Section, layers: number): void {
  const types = section.value('layer_types');
  const sliding = Array.isArray(types)
    ? types.some((type) => type !== 'full_attention')
    : section.value('use_sliding_window') === true &&
      section.value('sliding_window') !== null &&
      section.integer('max_window_layers', 80, 0) < layers;
  if (sliding) {
    section.refuse(
      'use_sliding_window',
      'expected full attention in every layer, got sliding windows',
      'Sliding-window attention is not supported; set use_sliding_window to false if the model was trained without.',
    );
  }
}

/** M-RoPE's base and sections, from `rope_scaling` + `rope_theta` (transformers 4) or `rope_parameters` (5). */
function parseRope(section: Section, headDim: number) {
  const name = isObject(section.value('rope_scaling')) ? 'rope_scaling' : 'rope_parameters';
  const found = section.value(name);
  const rope = new Section(isObject(found) ? found : {}, section.file, `${section.prefix}${name}.`);
  const type = rope.value('rope_type') ?? rope.value('type') ?? 'default';
  if (type !== 'mrope' && type !== 'default') {
    rope.refuse(
      'type',
      `expected "mrope" or "default", got ${show(type)}`,
      'Scaled rotary positions are not supported.',
    );
  }
  const ropeTheta =
    rope.value('rope_theta') === undefined
      ? section.positive('rope_theta', 1e6)
      : rope.positive('rope_theta', 1e6);
  const mropeSection = rope.value('mrope_section') ?? [16, 24, 24];
  if (!isSections(mropeSection)) {
    return rope.refuse('mrope_section', `expected three non-negative integers, got ${show(mropeSection)}`);
  }
  const sum = mropeSection[0] + mropeSection[1] + mropeSection[2];
  if (sum !== headDim / 2) {
    rope.refuse(
      'mrope_section',
      `expected a sum of ${headDim / 2} (half the head's ${headDim} dimensions), got ${mropeSection.join(' + ')} = ${sum}`,
    );
  }
  return { ropeTheta, mropeSection };
}

function isSections(value: Json): value is [number, number, number] {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)
  );
}

function parseVision(section: Section): Qwen2VLVisionConfig {
  const embedDim = section.integer('embed_dim', 1280);
  const heads = section.integer('num_heads', 16);
  section.divides('num_heads', heads, 'embed_dim', embedDim);
  const headDim = embedDim / heads;
  if (headDim % 4 !== 0) {
    const what = `expected a multiple of 4 dimensions for each head (2-D rotary positions), got ${headDim}`;
    section.refuse('embed_dim', what);
  }
  section.only('hidden_act', 'quick_gelu');
  const inChannels = section.integer(
    section.value('in_channels') === undefined ? 'in_chans' : 'in_channels',
    3,
  );
  if (inChannels !== 3) section.refuse('in_channels', `expected 3 (RGB), got ${inChannels}`);
  const rope = section.value('rope_parameters');
  return {
    depth: section.integer('depth', 32, 1, 10_000),
    embedDim,
    heads,
    headDim,
    mlpHidden: Math.trunc(embedDim * section.positive('mlp_ratio', 4)),
    patchSize: section.side('patch_size', 14),
    temporalPatchSize: section.side('temporal_patch_size', 2),
    spatialMergeSize: section.integer('spatial_merge_size', 2),
    inChannels,
    hiddenSize: section.integer('hidden_size', 3584),
    hiddenAct: 'quick_gelu',
    ropeTheta: isObject(rope)
      ? new Section(rope, section.file, 'vision_config.rope_parameters.').positive('rope_theta', 1e4)
      : 1e4,
    layerNormEps: 1e-6,
  };
}

function parseEos(text: Section, top: Section): number[] {
  const found = text.value('eos_token_id') ?? top.value('eos_token_id') ?? [];
  const ids = Array.isArray(found) ? found : [found];
  if (!ids.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)) {
    text.refuse('eos_token_id', `expected a token id or a list of them, got ${show(found)}`);
  }
  return ids as number[];
}

function checkAcross({ text, vision, ...ids }: Qwen2VLConfig, top: Section): void {
  if (vision.hiddenSize !== text.hiddenSize) {
    top.refuse(
      'vision_config.hidden_size',
      `expected the text's hidden_size ${text.hiddenSize} (image tokens stand among text tokens), got ${vision.hiddenSize}`,
    );
  }
  const special = {
    image_token_id: ids.imageTokenId,
    vision_start_token_id: ids.visionStartTokenId,
    vision_end_token_id: ids.visionEndTokenId,
  };
  for (const [key, id] of Object.entries(special)) {
    if (id >= text.vocabSize) top.refuse(key, `expected an id below vocab_size ${text.vocabSize}, got ${id}`);
  }
  if (new Set(Object.values(special)).size < 3) {
    top.refuse(
      'image_token_id',
      `expected three different special ids, got ${Object.values(special).join(', ')}`,
    );
  }
}

/** Wider than any model; keeps every product of two sizes exact. */
const sizeLimit = 2 ** 24;

function show(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/** One object of config.json and the words to complain about it. */
class Section {
  readonly json: JsonObject;
  readonly file: string;
  readonly prefix: string;

  constructor(json: JsonObject, file: string, prefix: string) {
    this.json = json;
    this.file = file;
    this.prefix = prefix;
  }

  refuse(
    key: string,
    what: string,
    fix = 'Get config.json again from the same place as the weights.',
  ): never {
    throw new LorikeetError('checkpoint', { file: this.file, what: `${this.prefix}${key} ${what}`, fix });
  }

  value(key: string): Json | undefined {
    return Object.hasOwn(this.json, key) ? this.json[key] : undefined;
  }

  integer(key: string, fallback: number, least = 1, most = sizeLimit): number {
    const value = this.value(key) ?? fallback;
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      this.refuse(key, `expected an integer from ${least} to ${most}, got ${show(value)}`);
    }
    return value as number;
  }

  positive(key: string, fallback: number): number {
    const value = this.value(key) ?? fallback;
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value)) {
      return this.refuse(key, `expected a number above 0, got ${show(value)}`);
    }
    return value;
  }

  /** A length that newer files may give once for each axis. */
  side(key: string, fallback: number): number {
    const value = this.value(key);
    if (!Array.isArray(value)) return this.integer(key, fallback);
    if (value.length === 0 || value.some((side) => side !== value[0])) {
      this.refuse(key, `expected equal sides, got ${show(value)}`);
    }
    return new Section({ [key]: value[0] }, this.file, this.prefix).integer(key, fallback);
  }

  only(key: string, supported: string | number): void {
    const value = this.value(key) ?? supported;
    if (value !== supported) {
      const fix = 'Only the published Qwen2-VL architecture is supported.';
      this.refuse(key, `expected ${show(supported)}, got ${show(value)}`, fix);
    }
  }

  divides(key: string, divisor: number, of: string, size: number): void {
    if (size % divisor !== 0) this.refuse(key, `expected a divisor of ${of} ${size}, got ${divisor}`);
  }
}

/**
 * Holds the tokenizer's special tokens against the ids that the model was trained with; throws a `tokenizer` error.
 * `idOf` gives the id of a special token, undefined where the tokenizer has none of that name; `file` is what errors
 * name.
 */
export function checkSpecialTokens(
  config: Qwen2VLConfig,
  idOf: (token: string) => number | undefined,
  file?: string,
): void {
  const expected: [string, number, string][] = [
    ['<|image_pad|>', config.imageTokenId, 'image_token_id'],
    ['<|vision_start|>', config.visionStartTokenId, 'vision_start_token_id'],
    ['<|vision_end|>', config.visionEndTokenId, 'vision_end_token_id'],
  ];
  const fix =
    'Tokenizer and model are of different origin: use the tokenizer files that came with the weights.';
  for (const [token, id, key] of expected) {
    const found = idOf(token);
    if (found !== id) {
      const what = `${token} expected id ${id} (${key} of config.json), got ${found ?? 'no such special token'}`;
      throw new LorikeetError('tokenizer', { file, what, fix });
    }
  }
  for (const token of ['<|im_start|>', '<|im_end|>']) {
    const found = idOf(token);
    if (found === undefined || found >= config.text.vocabSize) {
      const what = `${token} expected an id below vocab_size ${config.text.vocabSize}, got ${found ?? 'no such special token'}`;
      throw new LorikeetError('tokenizer', { file, what, fix });
    }
  }
}
