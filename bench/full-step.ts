/**
 * Anonymous memory of a step of the whole 2B shape: 28 decoder and 32 vision layers, random bf16 weights of 4.4 GB that are
 * written once, LoRA r = 16 on 196 modules, one picture of 324 tokens, 8 questions, recompute on, AdamW.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, percent } from './bench.ts';
import { modelFolder } from './model-folder.ts';
import type { TrainerRequest } from './packs-child.ts';
import { lengths } from './picture-samples.ts';
import { WorkerProcess } from './worker-process.ts';

const questions = 8;

export interface FullStepResult {
  /** MB of anonymous memory at the peak: the first step, which opens the graphs and runs the tower, and a later one. */
  first: number;
  later: number;
  seconds: { first: number; later: number };
  /** GFLOP/s of the later step over that of MatMul right after it. */
  shareOfMatmul: number;
  /** The folder with the weights, which is kept where it was asked for. */
  folder?: string;
}

export const fullStep = ({ keep }: { keep: boolean }): Bench<FullStepResult> => ({
  async run({ quick, scratch, threads }) {
    const shape = quick ? { size: 'small', layers: 2, depth: 2 } : { size: '2B', layers: 28, depth: 32 };
    const modelDir = await modelFolder(scratch, { ...shape, dtype: 'bf16' } as Parameters<
      typeof modelFolder
    >[1]);
    const cacheDir = mkdtempSync(join(scratch, 'vision-cache-'));
    try {
      const side = await WorkerProcess.start('packs-child.ts', {
        modelDir,
        cacheDir,
        recompute: true,
        threads,
      });
      const step = (fresh: boolean) =>
        side.ask({ do: 'step', picture: 1, questions, fresh } satisfies TrainerRequest);
      const [first, later] = [await step(true), await step(false)];
      const ask = (request: TrainerRequest) => side.ask(request).then(({ value }) => value);
      const matmul = await ask({ do: 'matmul', seconds: Math.min(5, later.value) });
      const gflop = await ask({ do: 'gflop', questions });
      side.stop();
      return {
        first: first.peak,
        later: later.peak,
        seconds: { first: first.value, later: later.value },
        shareOfMatmul: gflop / later.value / matmul,
        ...(keep && { folder: modelDir }),
      };
    } finally {
      rmSync(cacheDir, { recursive: true, force: true });
      if (!keep) rmSync(modelDir, { recursive: true, force: true });
    }
  },
  tell: ({ first, later, seconds, shareOfMatmul, folder }) => [
    `A step of the whole 2B shape: 28 + 32 layers, bf16, LoRA r = 16, a picture of ${lengths.imageTokens} tokens, ${questions} questions, recompute`,
    `  the first, with the vision tower  ${first.toFixed(0).padStart(6)} MB of anonymous memory at its peak, ${seconds.first.toFixed(1)} s`,
    `  with the picture known            ${later.toFixed(0).padStart(6)} MB, ${seconds.later.toFixed(1)} s, ${percent(shareOfMatmul)} of MatMul`,
    folder ? `  weights kept in ${folder}` : '  weights deleted; --keep keeps them',
  ],
});
