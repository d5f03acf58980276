/** A run of the demo's base on a little of the demo's data, by the command that users run. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeData } from '../../demo/make-data.ts';
import { withoutTiming } from '../../src/train/events.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const base = fileURLToPath(new URL('../../demo/base', import.meta.url));

export interface DemoRunOptions {
  /** Drawn pictures, about twelve questions each. */
  scenes: { train: number; validation: number };
  train: object;
  lora?: object;
}

/** Writes data and `config.yaml` into the folder and gives the config's path. Its output is `run` beside it. */
export async function writeDemoRun(folder: string, { scenes, train, lora }: DemoRunOptions): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await makeData(join(folder, 'data'), scenes);
  const words = {
    model: relative(folder, base),
    data: { train: 'data/train.jsonl', validation: 'data/validation.jsonl' },
    lora,
    cache: { folder: 'cache' },
    train: { recompute: false, threads: 1, learningRate: 2e-3, ...train },
    output: 'run',
  };
  const file = join(folder, 'config.yaml');
  writeFileSync(file, JSON.stringify(words));
  return file;
}

/** What must be the same however often a run was interrupted: bytes of adapters and scores, metrics without their times. */
export function outcomeOf(run: string): Record<string, string> {
  const bytes = (name: string) => readFileSync(join(run, name)).toString('base64');
  return {
    adapter: bytes('adapter/adapter_model.safetensors'),
    best: bytes('best/adapter_model.safetensors'),
    scores: bytes('scores/last.jsonl'),
    metrics: metricsOf(run)
      .map((event) => JSON.stringify(withoutTiming(event)))
      .join('\n'),
  };
}

/** The lines of `metrics.jsonl`; throws where one is not whole. */
export function metricsOf(run: string): { type: string; step: number }[] {
  const text = readFileSync(join(run, 'metrics.jsonl'), 'utf8');
  if (text !== '' && !text.endsWith('\n')) throw new Error('metrics.jsonl ends within a line');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** The command on this config, to its end. */
export function trainDemo(config: string): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [main, 'train', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stderr }));
  });
}
