/**
 * What `lorikeet estimate` says of runs, beside what the same runs of `lorikeet train` then take: anonymous memory at
 * its peak, watched from outside, and seconds. 2B widths, few layers, the whole vocabulary.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { type ModelSize, writeData, writeModel } from './estimate-model.ts';
import { anonymous } from './worker-process.ts';

const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const base = fileURLToPath(new URL('../demo/base', import.meta.url));

export interface EstimateCase extends Partial<ModelSize> {
  name: string;
  recompute: boolean;
  /** Pixels that every picture is brought to. */
  pixels: number;
  maxTokens: number;
  rank?: number;
  steps: number;
}

export interface EstimateResult extends EstimateCase {
  /** MB */
  estimated: number;
  measured: number;
  /** Seconds of the whole training, without opening. */
  estimatedSeconds: number;
  measuredSeconds: number;
}

export const estimateCases: EstimateCase[] = [
  { name: 'demo base', recompute: false, pixels: 12544, maxTokens: 1024, steps: 88 },
  { name: '2 layers', layers: 2, depth: 2, recompute: true, pixels: 50176, maxTokens: 256, steps: 2 },
  { name: '2 layers', layers: 2, depth: 2, recompute: false, pixels: 200704, maxTokens: 1024, steps: 2 },
  { name: '4 layers', layers: 4, depth: 2, recompute: true, pixels: 200704, maxTokens: 512, steps: 2 },
  { name: '4 layers', layers: 4, depth: 4, recompute: false, pixels: 254016, maxTokens: 512, steps: 2 },
  {
    name: '8 layers',
    layers: 8,
    depth: 2,
    recompute: true,
    pixels: 100352,
    maxTokens: 512,
    rank: 64,
    steps: 2,
  },
];

/** Runs the command for each case; `npm run build` first. */
export async function benchEstimate(cases = estimateCases): Promise<EstimateResult[]> {
  const scratch = join(tmpdir(), 'lorikeet-bench', 'estimate');
  mkdirSync(scratch, { recursive: true });
  const data = await writeData(scratch);
  const results: EstimateResult[] = [];
  for (const one of cases) results.push(await measure(one, scratch, data));
  return results;
}

async function measure(one: EstimateCase, scratch: string, data: string): Promise<EstimateResult> {
  const model =
    one.layers === undefined
      ? base
      : await writeModel(scratch, { layers: one.layers, depth: one.depth ?? one.layers });
  const output = join(scratch, 'run');
  const file = join(scratch, 'config.json');
  rmSync(output, { recursive: true, force: true });
  writeFileSync(file, JSON.stringify(configOf(one, model, data, output)));
  const told = spawnSync(process.execPath, [command, 'estimate', file, '--json'], { encoding: 'utf8' });
  if (told.status !== 0) throw new Error(told.stderr || told.stdout);
  const estimate = JSON.parse(told.stdout);
  const measured = await peakOf(file);
  return {
    ...one,
    estimated: estimate.memory.total / 2 ** 20,
    measured,
    estimatedSeconds: estimate.time.totalSeconds,
    measuredSeconds: secondsOf(output),
  };
}

function configOf(one: EstimateCase, model: string, data: string, output: string) {
  return {
    model,
    data: { train: join(data, 'train.jsonl'), validation: join(data, 'validation.jsonl') },
    image: { minPixels: one.pixels, maxPixels: one.pixels },
    lora: { rank: one.rank ?? 16 },
    train: {
      recompute: one.recompute,
      maxSteps: one.steps,
      gradientAccumulation: 16,
      evaluateEvery: 0,
      gapRows: 2,
    },
    pack: { maxTokens: one.maxTokens },
    output,
  };
}

/** MB of anonymous memory at the peak of `lorikeet train`. */
async function peakOf(file: string): Promise<number> {
  const child = spawn(process.execPath, [command, 'train', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const sampler = setInterval(() => {
    peak = Math.max(peak, anonymous(child.pid!));
  }, 5);
  await new Promise((resolve) => child.on('close', resolve));
  clearInterval(sampler);
  return peak;
}

function secondsOf(output: string): number {
  const lines = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return JSON.parse(lines[lines.length - 1]).seconds;
}

export const estimate: Bench<EstimateResult[]> = {
  run: ({ quick }) => benchEstimate(quick ? estimateCases.slice(0, 1) : estimateCases),
  tell: (results) => [
    'What `lorikeet estimate` says of a run and what the run then takes: anonymous memory at its peak, seconds',
    ...results.map(({ name, recompute, maxTokens, pixels, ...figures }) => {
      const { estimated, measured, estimatedSeconds, measuredSeconds } = figures;
      return (
        `  ${name}, ${recompute ? 'recompute' : 'kept'}, ${maxTokens} tokens, ${pixels} px  ` +
        `${estimated.toFixed(0)} MB for ${measured.toFixed(0)} (${(estimated / measured).toFixed(2)})  ` +
        `${estimatedSeconds.toFixed(1)} s for ${measuredSeconds.toFixed(1)} (${(estimatedSeconds / measuredSeconds).toFixed(2)})`
      );
    }),
  ],
};
