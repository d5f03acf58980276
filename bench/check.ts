/**
 * The check before a run over the rows of easy-VQA (`../shared/data`, with the published tokenizer and processor): wall
 * clock and processor time, for machines that others work on too. Left out where the data is not there.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from '../src/train/check.ts';
import type { Bench } from './bench.ts';

const shared = fileURLToPath(new URL('../../shared/', import.meta.url));
const data = join(shared, 'data/easy-vqa/train.jsonl');
const files = join(shared, 'models/qwen2-vl');
const names = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'preprocessor_config.json'];

export interface CheckResult {
  rows: number;
  pictures: number;
  seconds: number;
  /** Of all threads. */
  processorSeconds: number;
  /** MB, the most that the process held. */
  peakMemory: number;
}

export const checking: Bench<CheckResult | undefined> = {
  run: benchCheck,
  tell: (result) => [
    'The check of the training rows of easy-VQA',
    ...(result
      ? [
          `  ${result.rows} rows, ${result.pictures} pictures  ${result.seconds.toFixed(1)} s`,
          `  processor time, all threads  ${result.processorSeconds.toFixed(1)} s`,
          `  memory at its peak     ${result.peakMemory.toFixed(0)} MB`,
        ]
      : ['  no ../shared/data here']),
  ],
};

async function benchCheck(): Promise<CheckResult | undefined> {
  if (!existsSync(data) || !existsSync(files)) return undefined;
  const model = mkdtempSync(join(tmpdir(), 'lorikeet-bench-check-'));
  for (const name of names) copyFileSync(join(files, name), join(model, name));
  copyFileSync(join(files, 'config-2b.json'), join(model, 'config.json'));
  try {
    return await timed({ model, data: { train: data }, output: join(model, 'run') });
  } finally {
    rmSync(model, { recursive: true });
  }
}

async function timed(config: Parameters<typeof check>[0]): Promise<CheckResult> {
  const begun = performance.now();
  const before = process.cpuUsage();
  for await (const event of check(config)) {
    if (event.type !== 'checked') continue;
    const { user, system } = process.cpuUsage(before);
    const [{ rows, images }] = event.check.splits;
    return {
      rows,
      pictures: images.distinct,
      seconds: (performance.now() - begun) / 1000,
      processorSeconds: (user + system) / 1e6,
      peakMemory: process.resourceUsage().maxRSS / 1024,
    };
  }
  throw new Error('the check ended without a word');
}
