import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/load.ts';
import { run } from '../../src/train/run.ts';
import { writeTinyCheckpoint } from '../support/checkpoint.ts';
import { loadForwardCase } from '../support/parity.ts';
import { copyPublished, hasPublished } from '../support/published.ts';
import { inProcess } from './tiny-run.ts';

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));
const data = join(shared, 'data/vqa-rad');
const present = existsSync(data) && hasPublished;

/** A tiny random Qwen2-VL behind the real tokenizer and processor. */
function writeModel(folder: string): void {
  mkdirSync(folder);
  copyPublished(folder);
  const base = loadForwardCase('one-image');
  const ids = {
    image_token_id: 151655,
    video_token_id: 151656,
    vision_start_token_id: 151652,
    vision_end_token_id: 151653,
  };
  const text_config = {
    ...base.config.text_config,
    vocab_size: 151936,
    eos_token_id: 151645,
    bos_token_id: 151643,
  };
  writeTinyCheckpoint(folder, { ...base, config: { ...base.config, ...ids, text_config } });
}

it.skipIf(!present)('sees the loss fall on rows of VQA-RAD (skipped where ../shared is absent)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-vqa-rad-'));
  writeModel(join(folder, 'model'));
  const rows = readFileSync(join(data, 'train.jsonl'), 'utf8').split('\n');
  writeFileSync(join(folder, 'train.jsonl'), rows.slice(0, 48).join('\n'));
  writeFileSync(join(folder, 'val.jsonl'), rows.slice(48, 56).join('\n'));
  const config = resolveConfig({
    model: join(folder, 'model'),
    data: { train: join(folder, 'train.jsonl'), validation: join(folder, 'val.jsonl'), images: data },
    image: { maxPixels: 112 * 112 },
    train: { epochs: 3, gradientAccumulation: 8, learningRate: 5e-3 },
    output: join(folder, 'run'),
  });
  const losses: number[] = [];
  for await (const event of run(config, inProcess)) if (event.type === 'step') losses.push(event.loss);
  rmSync(folder, { recursive: true });
  const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  expect(losses).toHaveLength(18);
  expect(mean(losses.slice(-6))).toBeLessThan(mean(losses.slice(0, 6)) * 0.8);
});
