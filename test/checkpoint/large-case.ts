/** A checkpoint of some hundred MB with an adapter for it, written in blocks so that making it needs little memory. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteWidth } from '../../src/dtype.ts';
import { indexFile } from '../../src/formats/checkpoint-folder.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { parseModelConfig } from '../../src/models/qwen2-vl/config.ts';
import { hubName, linearModules, parameterTable } from '../../src/models/qwen2-vl/weights.ts';
import { writeAdapterFolder } from './merged-case.ts';

const config = {
  model_type: 'qwen2_vl',
  hidden_size: 1024,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  intermediate_size: 4096,
  vocab_size: 60_000,
  image_token_id: 5,
  vision_start_token_id: 6,
  vision_end_token_id: 7,
  tie_word_embeddings: false,
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
  vision_config: { depth: 1, embed_dim: 64, num_heads: 2, hidden_size: 1024 },
};
const rank = 8;

/** Writes `dir`/model in bf16, two shards, and `dir`/adapter on every linear; gives the bytes of the model. */
export async function writeLargeCase(dir: string): Promise<number> {
  const model = join(dir, 'model');
  mkdirSync(model, { recursive: true });
  writeFileSync(join(model, 'config.json'), JSON.stringify(config));
  const parsed = parseModelConfig(config, 'config.json');
  const table = parameterTable(parsed);
  const tensors = table.map(({ name, shape }) => {
    const bytes = shape.reduce((product, size) => product * size, byteWidth.bf16);
    return { name: hubName(name), dtype: 'bf16' as const, shape, bytes, data: () => pattern(bytes) };
  });
  const weightMap: Record<string, string> = {};
  for (const [i, file] of [
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
  ].entries()) {
    const part = tensors.filter((_, at) => at % 2 === i);
    await writeSafetensors(join(model, file), part, { format: 'pt' });
    for (const { name } of part) weightMap[name] = file;
  }
  writeFileSync(join(model, indexFile), JSON.stringify({ metadata: {}, weight_map: weightMap }));
  const adapter = linearModules(parsed).flatMap(({ name, inFeatures, outFeatures }) => [
    [`base_model.model.${name}.lora_A.weight`, filled(rank, inFeatures, 0.01)] as const,
    [`base_model.model.${name}.lora_B.weight`, filled(outFeatures, rank, 0.02)] as const,
  ]);
  const lora = { rank, alpha: 16, rslora: false, targetModules: 'all-linear' };
  await writeAdapterFolder(join(dir, 'adapter'), lora, new Map(adapter));
  return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
}

const filled = (rows: number, columns: number, value: number) => ({
  shape: [rows, columns],
  values: new Float32Array(rows * columns).fill(value),
});

const block = new Uint8Array(new Uint16Array(2 ** 20).fill(0x3c23).buffer); // bf16 0.00995

async function* pattern(bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += block.length)
    yield block.subarray(0, Math.min(block.length, bytes - at));
}
