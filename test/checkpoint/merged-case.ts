/** Cases of reference/parity/merged.py as folders: a tiny base and an adapter whose values come from the seed. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { writeTinyCheckpoint } from '../support/checkpoint.ts';
import {
  initialAdapter,
  type ParityModel,
  type Stored,
  type StoredLora,
  type StoredSample,
} from '../support/parity.ts';

export interface MergedCase extends ParityModel {
  lora: StoredLora;
  /** Shapes by PEFT's key. */
  adapter: Record<string, number[]>;
  /** Logits of PEFT's adapter on the base in f32. */
  samples: Pick<StoredSample, 'ids' | 'spans' | 'grids' | 'rows' | 'logits'>[];
  /** PEFT's merged weights by new name, elements as the file of that dtype would hold them. */
  merged: Record<string, Stored>;
}

export const mergedCases = ['f32-sharded-new', 'bf16-tied-old', 'f16-rslora'] as const;

export const loadMergedCase = (name: (typeof mergedCases)[number]): MergedCase =>
  JSON.parse(readFileSync(new URL(`../fixtures/merged/${name}.json`, import.meta.url), 'utf8'));

export function adapterTensors({ adapter, ...model }: MergedCase) {
  const like = Object.fromEntries(Object.entries(adapter).map(([key, shape]) => [key, { shape, data: '' }]));
  return initialAdapter(model, like);
}

export interface CaseFolders {
  model: string;
  adapter: string;
}

/** Writes `dir`/model and `dir`/adapter; the tokenizer files are stand-ins that only travel. */
export async function writeMergedCase(dir: string, parity: MergedCase): Promise<CaseFolders> {
  const folders = { model: join(dir, 'model'), adapter: join(dir, 'adapter') };
  writeTinyCheckpoint(folders.model, parity);
  for (const name of [
    'tokenizer.json',
    'chat_template.jinja',
    'preprocessor_config.json',
    'generation_config.json',
  ])
    writeFileSync(join(folders.model, name), JSON.stringify({ standsFor: name }));
  writeFileSync(join(folders.model, 'notes.txt'), 'not part of the model');
  await writeAdapterFolder(folders.adapter, parity.lora, adapterTensors(parity));
  return folders;
}

export async function writeAdapterFolder(
  dir: string,
  { rank, alpha, rslora, targetModules }: Omit<StoredLora, 'scale' | 'modules' | 'bAmplitude'>,
  tensors: ReadonlyMap<string, { shape: number[]; values: Float32Array }>,
): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const config = {
    peft_type: 'LORA',
    r: rank,
    lora_alpha: alpha,
    use_rslora: rslora,
    target_modules: targetModules,
    base_model_name_or_path: 'tiny',
  };
  writeFileSync(join(dir, 'adapter_config.json'), JSON.stringify(config));
  const stored = [...tensors].map(([name, { shape, values }]) => ({
    name,
    dtype: 'f32' as const,
    shape,
    data: values,
  }));
  await writeSafetensors(join(dir, 'adapter_model.safetensors'), stored, { format: 'pt' });
}
