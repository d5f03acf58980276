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
  /** Opens the graphs as well. */
  first: Step;
  /** Another picture. */
  fresh: Step;
  /** That picture again, from the cache. */
  known: Step;
  /** One question about yet another picture. */
  alone: Step;
  matmulGflops: number;
  /** GFLOP/s of the step on a known picture over that of MatMul right after it. */
  shareOfMatmul: number;
  /** The folder with the weights, which is kept where it was asked for. */
  folder?: string;
}

interface Step {
  seconds: number;
  /** MB of anonymous memory at the peak. */
  peak: number;
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
      const ask = (request: TrainerRequest) => side.ask(request);
      const step = async (picture: number, questions: number, fresh = true): Promise<Step> => {
        const { value: seconds, peak } = await ask({ do: 'step', picture, questions, fresh });
        return { seconds, peak };
      };
      const [first, fresh] = [await step(1, questions), await step(2, questions)];
      const known = await step(2, questions, false);
      const { value: matmulGflops } = await ask({ do: 'matmul', seconds: Math.min(5, known.seconds) });
      const { value: gflop } = await ask({ do: 'gflop', questions });
      const alone = await step(3, 1);
      side.stop();
      const shareOfMatmul = gflop / known.seconds / matmulGflops;
      return { first, fresh, known, alone, matmulGflops, shareOfMatmul, ...(keep && { folder: modelDir }) };
    } finally {
      rmSync(cacheDir, { recursive: true, force: true });
      if (!keep) rmSync(modelDir, { recursive: true, force: true });
    }
  },
  tell: ({ first, fresh, known, alone, matmulGflops, shareOfMatmul, folder }) => {
    const line = (what: string, { seconds, peak }: Step, more = '') =>
      `  ${what.padEnd(34)}${seconds.toFixed(1).padStart(6)} s, ${peak.toFixed(0)} MB of anonymous memory at its peak${more}`;
    const share = `, ${percent(shareOfMatmul)} of MatMul's ${matmulGflops.toFixed(0)} GFLOP/s`;
    return [
      `A step of the whole 2B shape: 28 + 32 layers, bf16, LoRA r = 16, a picture of ${lengths.imageTokens} tokens, ${questions} questions, recompute`,
      line('the first, which opens the graphs', first),
      line('another picture', fresh),
      line('that picture again', known, share),
      line('a picture with one question', alone),
      folder ? `  weights kept in ${folder}` : '  weights deleted; --keep keeps them',
    ];
  },
});
