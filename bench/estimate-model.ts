/** A model folder of real widths with few layers and random weights, and data to train it on: the demo's. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeData } from '../demo/make-data.ts';
import { writeSafetensors } from '../src/formats/safetensors.ts';
import { parseModelConfig } from '../src/models/qwen2-vl/config.ts';
import { hubName, parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { widths } from './layers.ts';

const base = fileURLToPath(new URL('../demo/base/', import.meta.url));

export interface ModelSize {
  layers: number;
  depth: number;
}

/** 2B widths, the whole vocabulary; the demo's tokenizer and its ids. An existing folder is kept. */
export async function writeModel(scratch: string, { layers, depth }: ModelSize): Promise<string> {
  const dir = join(scratch, `model-2B-${layers}-${depth}`);
  const file = join(dir, 'model.safetensors');
  if (existsSync(file)) return dir;
  mkdirSync(dir, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'preprocessor_config.json'])
    copyFileSync(join(base, name), join(dir, name));
  const config = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'));
  const text = widths['2B'];
  Object.assign(config, {
    hidden_size: text.hiddenSize,
    intermediate_size: text.intermediateSize,
    num_attention_heads: text.heads,
    num_key_value_heads: text.kvHeads,
    num_hidden_layers: layers,
    vocab_size: text.vocabSize,
    rope_theta: text.ropeTheta,
    rope_scaling: { type: 'mrope', mrope_section: text.mropeSection },
  });
  Object.assign(config.vision_config, {
    depth,
    embed_dim: 1280,
    num_heads: 16,
    hidden_size: text.hiddenSize,
  });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config, null, 2));
  const tensors = parameterTable(parseModelConfig(config, 'config.json')).map(({ name, shape, kind }) => ({
    name: hubName(name),
    dtype: 'bf16' as const,
    shape,
    data: () =>
      numbers(
        shape.reduce((count, length) => count * length, 1),
        kind === 'norm',
      ),
  }));
  await writeSafetensors(file, tensors, { format: 'pt' });
  return dir;
}

const blockLength = 2 ** 20;

/** Small numbers that look like weights; norms near one. */
async function* numbers(count: number, isNorm: boolean): AsyncGenerator<Float32Array> {
  const block = Float32Array.from({ length: Math.min(count, blockLength) }, (_, i) =>
    isNorm ? 1 : Math.sin(i * 12.9898) * 0.02,
  );
  for (let done = 0; done < count; done += block.length)
    yield block.subarray(0, Math.min(block.length, count - done));
}

export async function writeData(scratch: string): Promise<string> {
  const dir = join(scratch, 'data');
  if (!existsSync(join(dir, 'train.jsonl')))
    await makeData(dir, { train: 40, validation: 2, style: 'short' });
  return dir;
}
