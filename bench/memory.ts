/**
 * What a step holds in anonymous memory, watched from outside the process that steps: activations with and without
 * recompute over the number of layers, and a large mapped checkpoint.
 */
import type { Bench, BenchOptions } from './bench.ts';
import { gradientBytes, layersConfig, type Size } from './layers.ts';
import { WorkerProcess } from './worker-process.ts';

export interface MemoryCase extends Pick<BenchOptions, 'scratch' | 'threads'> {
  layers: number;
  recompute: boolean;
  tokens: number;
  dtype: 'f32' | 'bf16';
  size: Size;
}

export interface MemoryRequest {
  do: 'open' | 'step';
}

interface Peaks {
  /** MB of anonymous memory: before the session, with it open, and at the peak of three steps. */
  base: number;
  opened: number;
  peak: number;
}

async function watch(options: MemoryCase): Promise<Peaks> {
  const child = await WorkerProcess.start('memory-child.ts', options);
  const ask = (request: MemoryRequest) => child.ask(request);
  const { before: base } = await ask({ do: 'open' });
  const { before: opened, peak: first } = await ask({ do: 'step' });
  const later = [await ask({ do: 'step' }), await ask({ do: 'step' })];
  child.stop();
  return { base, opened, peak: Math.max(first, ...later.map(({ peak }) => peak)) };
}

export interface ActivationsResult extends Peaks {
  layers: number;
  recompute: boolean;
  /** MB that a step adds beside the gradients that come back. */
  activations: number;
}

export const memory: Bench<ActivationsResult[]> = {
  async run({ scratch, threads }) {
    const results: ActivationsResult[] = [];
    for (const layers of [4, 8, 16])
      for (const recompute of [false, true]) {
        const peaks = await watch({
          layers,
          recompute,
          tokens: 512,
          dtype: 'f32',
          size: 'small',
          scratch,
          threads,
        });
        const gradients = gradientBytes(layersConfig('small', layers)) / 2 ** 20;
        results.push({ layers, recompute, ...peaks, activations: peaks.peak - peaks.opened - gradients });
      }
    return results;
  },
  tell: (results) => [
    'What a step adds in MB, 512 tokens, width 256: the gradients that come back are taken off',
    ...results.map(
      ({ layers, recompute, activations }) =>
        `  ${String(layers).padStart(2)} layers, ${recompute ? 'recompute' : 'kept     '}  ${activations.toFixed(0).padStart(4)}`,
    ),
  ],
};

export const mapping: Bench<Peaks> = {
  run: ({ quick, scratch, threads }) => {
    const size = quick ? 'small' : '2B';
    return watch({ layers: 43, recompute: true, tokens: 16, dtype: 'bf16', size, scratch, threads });
  },
  tell: ({ base, opened, peak }) => [
    'A 4.0 GB bf16 checkpoint (43 layers at 2B width)',
    `  mapped, adds           ${(opened - base).toFixed(0)} MB of anonymous memory`,
    `  a step of 16 tokens    ${(peak - opened).toFixed(0)} MB more, LoRA gradients among them`,
  ],
};
