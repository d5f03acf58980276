import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Example } from '../../src/data/example.ts';
import { compileStep } from '../../src/train/compile.ts';
import { createEncoder, type EncoderSettings } from '../../src/train/encoder.ts';
import { type KnownImages, loadUnknown } from '../../src/train/load-unknown.ts';
import { writeTinyCheckpoint } from '../support/checkpoint.ts';
import { loadForwardCase, type ParityConfig } from '../support/parity.ts';

const fixtures = new URL('../fixtures/', import.meta.url);
const fixture = (path: string) => new URL(path, fixtures).pathname;

/** Rows of the data file, five on two pictures. */
export const tinyRows = [
  { image: 'a.png', question: 'Is there a polyp?', answer: 'Yes, there is a polyp visible.' },
  { image: 'b.png', question: 'How many?', answer: 'Two.' },
  { image: 'a.png', question: 'Where is it?', answer: 'In the upper left corner.' },
  { image: 'a.png', question: 'What colour is it?', answer: 'Red.' },
  { image: 'b.png', question: 'Is there an instrument?', answer: 'No.' },
];

/**
 * A folder with a tiny Qwen2-VL (random weights, the tokenizer of the conversation fixtures), two pictures, two data
 * files and `config.yaml`: 5 rows at 2 a step make 3 steps an epoch. It is removed when the test is over.
 */
export function tinyRun(
  changes: { train?: object; pack?: object; rows?: object[]; onBadRow?: string; model?: object } = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-tiny-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const model = join(folder, 'model');
  mkdirSync(model);
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
    copyFileSync(fixture(`conversations/tiny/${file}`), join(model, file));
  }
  const base = loadForwardCase('one-image');
  const config: ParityConfig = {
    ...base.config,
    image_token_id: 425,
    vision_start_token_id: 423,
    vision_end_token_id: 424,
    text_config: { ...base.config.text_config, vocab_size: 432, eos_token_id: 420, bos_token_id: 421 },
    ...changes.model,
  };
  writeTinyCheckpoint(model, { ...base, config });
  writeFileSync(
    join(model, 'preprocessor_config.json'),
    JSON.stringify({
      min_pixels: 784,
      max_pixels: 3136,
      patch_size: 14,
      merge_size: 2,
      temporal_patch_size: 2,
    }),
  );
  copyFileSync(fixture('images/rgb.png'), join(folder, 'a.png'));
  copyFileSync(fixture('images/grey.png'), join(folder, 'b.png'));
  writeRows(join(folder, 'train.jsonl'), changes.rows ?? tinyRows);
  writeRows(join(folder, 'val.jsonl'), tinyRows.slice(0, 2));
  const words = {
    model: './model',
    data: { train: 'train.jsonl', validation: 'val.jsonl', onBadRow: changes.onBadRow },
    train: {
      epochs: 2,
      gradientAccumulation: 2,
      learningRate: 1e-3,
      evaluateEvery: 3,
      threads: 1,
      ...changes.train,
    },
    ...(changes.pack && { pack: changes.pack }),
    cache: { folder: 'cache' },
    output: 'run',
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(words));
  return folder;
}

function writeRows(file: string, rows: object[]): void {
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** What `run` needs to stay in the test's own thread: the real model, and a loader without a thread. */
export const inProcess = {
  overwrite: false,
  stopped: () => false,
  compile: compileStep,
  startLoader: (settings: EncoderSettings) => {
    const encoder = createEncoder(settings);
    const load = async (example: Example, known?: KnownImages) => loadUnknown(await encoder, example, known);
    return { load, close: async () => {} };
  },
};
