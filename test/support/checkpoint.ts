import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../../src/dtype.ts';
import type { ParityConfig, ParityModel, StoredCheckpoint } from './parity.ts';
import { around } from './seeded.ts';

type StoredDType = StoredCheckpoint['dtype'];

/** Tiny Qwen2-VL checkpoints whose weights come from a seed: the twin of reference/parity/checkpoint.py. */

export interface TinyWeight {
  shape: number[];
  /** As stored: rounded to the checkpoint's dtype. */
  values: Float32Array<ArrayBuffer>;
}

/** Writes config.json and the shards into `dir`, by default as the case was made. */
export function writeTinyCheckpoint(
  dir: string,
  model: ParityModel,
  stored: Partial<StoredCheckpoint> = {},
): void {
  const { dtype, shards, naming } = { ...model.checkpoint, ...stored };
  mkdirSync(dir, { recursive: true });
  const config = naming === 'old' ? flatConfig(model.config) : model.config;
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  const named = [...tinyWeights(model, dtype)].map(
    ([name, weight]) => [naming === 'old' ? oldName(name) : name, weight] as const,
  );
  if (shards === 1) {
    writeSafetensors(join(dir, 'model.safetensors'), named, dtype);
    return;
  }
  const index: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const number = (n: number) => String(n).padStart(5, '0');
    const file = `model-${number(shard + 1)}-of-${number(shards)}.safetensors`;
    const part = named.filter((_, i) => i % shards === shard);
    writeSafetensors(join(dir, file), part, dtype);
    for (const [name] of part) index[name] = file;
  }
  writeFileSync(
    join(dir, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: index }),
  );
}

/** Every tensor of the checkpoint by its new name, sorted; a tied head is left out. */
export function tinyWeights(
  { seed, config, checkpoint }: ParityModel,
  dtype: StoredDType = checkpoint.dtype,
): Map<string, TinyWeight> {
  const shapes = Object.entries(shapesOf(config)).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    shapes.map(([name, shape]) => {
      const { amplitude, offset } = distribution(name, shape, config.tie_word_embeddings);
      const size = shape.reduce((a, b) => a * b);
      return [name, { shape, values: rounded(around([seed, name], size, amplitude, offset), dtype) }];
    }),
  );
}

/** SHA-256 as `weightsSha256` of a fixture. */
export function weightsDigest(weights: Map<string, TinyWeight>): string {
  const sha = createHash('sha256');
  for (const { values } of weights.values()) sha.update(new Uint8Array(values.buffer));
  return sha.digest('hex');
}

/** config.json in the form of the hub's checkpoints. */
export function flatConfig({ text_config, vision_config, ...top }: ParityConfig): Record<string, unknown> {
  const { rope_parameters, ...text } = text_config;
  const { in_channels, ...vision } = vision_config;
  return {
    ...text,
    ...top,
    rope_theta: rope_parameters.rope_theta,
    rope_scaling: { type: 'mrope', mrope_section: rope_parameters.mrope_section },
    vision_config: {
      ...vision,
      in_chans: in_channels,
      spatial_patch_size: vision.patch_size,
      model_type: 'qwen2_vl',
    },
  };
}

export function oldName(name: string): string {
  return name.replace('model.language_model.', 'model.').replace('model.visual.', 'visual.');
}

/** Amplitudes that keep activations near 1 and logits near 2, with nothing flat. */
function distribution(name: string, shape: number[], tied: boolean): { amplitude: number; offset: number } {
  const inputs = shape.slice(1).reduce((a, b) => a * b, 1);
  if (name.endsWith('embed_tokens.weight')) return { amplitude: tied ? 0.5 : 1.7, offset: 0 };
  if (name === 'lm_head.weight') return { amplitude: Math.sqrt(12 / inputs), offset: 0 };
  if (shape.length > 1) {
    const gain = /\.(q_proj|k_proj|qkv)\.weight$/.test(name) ? 5 : 3;
    return { amplitude: Math.sqrt(gain / inputs), offset: 0 };
  }
  return name.endsWith('weight') ? { amplitude: 0.3, offset: 1 } : { amplitude: 0.2, offset: 0 };
}

function shapesOf({ text_config: text, vision_config: vision, tie_word_embeddings }: ParityConfig) {
  const hidden = text.hidden_size;
  const shapes: Record<string, number[]> = {
    'model.language_model.embed_tokens.weight': [text.vocab_size, hidden],
    'model.language_model.norm.weight': [hidden],
  };
  if (!tie_word_embeddings) shapes['lm_head.weight'] = [text.vocab_size, hidden];
  for (let i = 0; i < text.num_hidden_layers; i++)
    Object.assign(shapes, layerShapes(`model.language_model.layers.${i}`, text));
  return Object.assign(shapes, towerShapes(vision, hidden));
}

function layerShapes(stem: string, text: ParityConfig['text_config']): Record<string, number[]> {
  const hidden = text.hidden_size;
  const keys = (hidden / text.num_attention_heads) * text.num_key_value_heads;
  return {
    [`${stem}.input_layernorm.weight`]: [hidden],
    [`${stem}.post_attention_layernorm.weight`]: [hidden],
    ...linear(`${stem}.self_attn.q_proj`, hidden, hidden),
    ...linear(`${stem}.self_attn.k_proj`, keys, hidden),
    ...linear(`${stem}.self_attn.v_proj`, keys, hidden),
    [`${stem}.self_attn.o_proj.weight`]: [hidden, hidden],
    [`${stem}.mlp.gate_proj.weight`]: [text.intermediate_size, hidden],
    [`${stem}.mlp.up_proj.weight`]: [text.intermediate_size, hidden],
    [`${stem}.mlp.down_proj.weight`]: [hidden, text.intermediate_size],
  };
}

function towerShapes(vision: ParityConfig['vision_config'], hidden: number): Record<string, number[]> {
  const { embed_dim: embed, patch_size: patch, in_channels: channels } = vision;
  const merged = embed * vision.spatial_merge_size ** 2;
  const shapes: Record<string, number[]> = {
    'model.visual.patch_embed.proj.weight': [embed, channels, 2, patch, patch],
    ...norm('model.visual.merger.ln_q', embed),
    ...linear('model.visual.merger.mlp.0', merged, merged),
    ...linear('model.visual.merger.mlp.2', hidden, merged),
  };
  for (let i = 0; i < vision.depth; i++) {
    const stem = `model.visual.blocks.${i}`;
    Object.assign(shapes, {
      ...norm(`${stem}.norm1`, embed),
      ...norm(`${stem}.norm2`, embed),
      ...linear(`${stem}.attn.qkv`, 3 * embed, embed),
      ...linear(`${stem}.attn.proj`, embed, embed),
      ...linear(`${stem}.mlp.fc1`, embed * vision.mlp_ratio, embed),
      ...linear(`${stem}.mlp.fc2`, embed, embed * vision.mlp_ratio),
    });
  }
  return shapes;
}

function linear(stem: string, outputs: number, inputs: number): Record<string, number[]> {
  return { [`${stem}.weight`]: [outputs, inputs], [`${stem}.bias`]: [outputs] };
}

function norm(stem: string, size: number): Record<string, number[]> {
  return { [`${stem}.weight`]: [size], [`${stem}.bias`]: [size] };
}

function rounded(values: Float32Array<ArrayBuffer>, dtype: StoredDType): Float32Array<ArrayBuffer> {
  if (dtype === 'bf16') return bf16ToF32(f32ToBf16(values));
  return dtype === 'f16' ? f16ToF32(f32ToF16(values)) : values;
}

/** A few lines of our own, so that reading is tested against another hand than the reader's own room. */
function writeSafetensors(
  file: string,
  tensors: (readonly [name: string, weight: TinyWeight])[],
  dtype: StoredDType,
): void {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    const stored = dtype === 'bf16' ? f32ToBf16(values) : dtype === 'f16' ? f32ToF16(values) : values;
    const bytes = new Uint8Array(stored.buffer);
    header[name] = {
      dtype: dtype.toUpperCase(),
      shape,
      data_offsets: [offset, offset + bytes.length],
    };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(file, Buffer.concat([length, padded, ...parts]));
}
