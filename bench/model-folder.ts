/** A model folder as the hub has them: real widths, as many layers as asked for, random weights. */
import { copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors } from '../src/formats/safetensors.ts';
import { parseModelConfig } from '../src/models/qwen2-vl/config.ts';
import { hubName, parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { stream } from '../src/random.ts';
import { type Size, widths } from './layers.ts';

export interface FolderShape {
  size: Size;
  layers: number;
  /** Layers of the vision tower. */
  depth: number;
  dtype: 'f32' | 'bf16';
}

const towers: Record<Size, { embed_dim: number; num_heads: number }> = {
  small: { embed_dim: 160, num_heads: 2 },
  '2B': { embed_dim: 1280, num_heads: 16 },
  '7B': { embed_dim: 1280, num_heads: 16 },
};

const base = fileURLToPath(new URL('../demo/base/', import.meta.url));

/** config.json, as the hub's. Token ids are those of the published tokenizer. */
export function hubConfig({ size, layers, depth }: Omit<FolderShape, 'dtype'>) {
  const text = widths[size];
  return {
    model_type: 'qwen2_vl',
    hidden_size: text.hiddenSize,
    intermediate_size: text.intermediateSize,
    num_attention_heads: text.heads,
    num_key_value_heads: text.kvHeads,
    num_hidden_layers: layers,
    vocab_size: text.vocabSize,
    rms_norm_eps: text.rmsNormEps,
    rope_theta: text.ropeTheta,
    rope_scaling: { type: 'mrope', mrope_section: text.mropeSection },
    tie_word_embeddings: true,
    vision_config: { depth, ...towers[size], hidden_size: text.hiddenSize },
  };
}

/** Written once; an existing folder of the same shape is kept. */
export async function modelFolder(scratch: string, shape: FolderShape): Promise<string> {
  const { size, layers, depth, dtype } = shape;
  const dir = join(scratch, `model-${size}-${layers}-${depth}-${dtype}`);
  const file = join(dir, 'model.safetensors');
  if (existsSync(file)) return dir;
  mkdirSync(dir, { recursive: true });
  copyFileSync(join(base, 'preprocessor_config.json'), join(dir, 'preprocessor_config.json'));
  const config = hubConfig(shape);
  writeFileSync(join(dir, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const table = parameterTable(parseModelConfig(config, 'config.json'));
  const tensors = table.map(({ name, shape, kind }, i) => ({
    name: hubName(name),
    dtype,
    shape,
    data: () =>
      values(
        i,
        shape.reduce((count, length) => count * length, 1),
        kind === 'norm',
      ),
  }));
  await writeSafetensors(`${file}.part`, tensors, { format: 'pt' });
  renameSync(`${file}.part`, file);
  return dir;
}

const block = 2 ** 20;
const draws = stream(1, 'bench weights');
const noise = Float32Array.from({ length: 2 * block }, () => 0.02 * draws.normal());

/** Small normal numbers, each tensor another stretch of them; norms are ones. */
async function* values(tensor: number, count: number, isNorm: boolean): AsyncGenerator<Float32Array> {
  const ones = new Float32Array(Math.min(count, block)).fill(1);
  for (let done = 0; done < count; done += block) {
    const start = (tensor * 7919 + done / 64) % block;
    const whole = isNorm ? ones : noise.subarray(start, start + block);
    yield whole.subarray(0, Math.min(block, count - done));
  }
}
