/**
 * Trains the demo's base for many steps and tells whether the memory of the process grew.
 *
 *     npm run build && npx jiti test/reliability/memory.ts [steps, default 2000]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StepEvent } from '../../src/train/events.ts';
import { metricsOf, trainDemo, writeDemoRun } from './demo-run.ts';

export interface MemoryReport {
  steps: number;
  /** Bytes of the process, means over the first and the last fifth of the steps that count. */
  first: number;
  last: number;
  /** Bytes a step: least squares over the steps that count, and its standard error over block means. */
  slope: number;
  error: number;
}

/** The share of steps in which sessions, pools and the heap find their size. */
const warmUp = 0.2;
const blocks = 16;

/** Evaluates and keeps checkpoints on the way, as runs do. */
export async function memoryOver(steps: number): Promise<MemoryReport> {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-memory-'));
  try {
    const every = Math.max(1, Math.floor(steps / 20));
    const config = await writeDemoRun(folder, {
      scenes: { train: 60, validation: 8 },
      lora: { rank: 8, dropout: 0.05 },
      train: {
        epochs: 1000,
        maxSteps: steps,
        gradientAccumulation: 4,
        evaluateEvery: every,
        saveEvery: every,
      },
    });
    const { code, stderr } = await trainDemo(config);
    if (code !== 0) throw new Error(stderr);
    const events = metricsOf(join(folder, 'run')).filter(({ type }) => type === 'step') as StepEvent[];
    return slopeOf(events.map(({ memory }) => memory));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Neighbouring steps are alike, so the line is laid through means of blocks, which are hardly. */
export function slopeOf(memory: readonly number[]): MemoryReport {
  const counted = memory.slice(Math.floor(memory.length * warmUp));
  const size = Math.floor(counted.length / blocks);
  const points = Array.from({ length: blocks }, (_, b) => ({
    x: (b + 0.5) * size,
    y: mean(counted.slice(b * size, (b + 1) * size)),
  }));
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const spread = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
  const slope = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0) / spread;
  const residual = points.reduce((sum, point) => sum + (point.y - y - slope * (point.x - x)) ** 2, 0);
  const fifth = Math.floor(counted.length / 5);
  return {
    steps: memory.length,
    first: mean(counted.slice(0, fifth)),
    last: mean(counted.slice(-fifth)),
    slope,
    error: Math.sqrt(residual / (blocks - 2) / spread),
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { steps, first, last, slope, error } = await memoryOver(Number(process.argv[2] ?? 2000));
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  console.log(
    `${steps} steps: ${megabytes(first)} MB in the first fifth after the warm-up, ${megabytes(last)} MB in the last`,
  );
  console.log(`slope ${(slope / 1e3).toFixed(2)} kB a step, standard error ${(error / 1e3).toFixed(2)}`);
}
