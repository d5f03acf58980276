/** A model folder of 2B widths with the demo's tokenizer, and data to train it on: the demo's. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeData } from '../demo/make-data.ts';
import { hubConfig, modelFolder } from './model-folder.ts';

const base = fileURLToPath(new URL('../demo/base/', import.meta.url));

export interface ModelSize {
  layers: number;
  depth: number;
}

/** The whole vocabulary in bf16; ids of special tokens are the tokenizer's. An existing folder is kept. */
export async function writeModel(scratch: string, size: ModelSize): Promise<string> {
  const dir = await modelFolder(join(scratch, 'demo-words'), { size: '2B', ...size, dtype: 'bf16' });
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(base, name), join(dir, name));
  const demo: Record<string, unknown> = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'));
  const ids = Object.fromEntries(Object.entries(demo).filter(([word]) => word.endsWith('_token_id')));
  const config = { ...hubConfig({ size: '2B', ...size }), ...ids };
  writeFileSync(join(dir, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  return dir;
}

export async function writeData(scratch: string): Promise<string> {
  const dir = join(scratch, 'data');
  if (!existsSync(join(dir, 'train.jsonl')))
    await makeData(dir, { train: 40, validation: 2, style: 'short' });
  return dir;
}
