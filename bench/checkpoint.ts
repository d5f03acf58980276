/** What a checkpoint costs: LoRA of rank 16 on the seven linears of the 2B decoder, its two moments, and the disk. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeFolderAtomically } from '../src/formats/atomic.ts';
import { damageOf, writeManifest } from '../src/formats/manifest.ts';
import { createAdamW } from '../src/optim/adamw.ts';
import { writeTensors } from '../src/train/checkpoints/tensors.ts';
import type { Trainable } from '../src/train/step.ts';
import { type Bench, type BenchOptions, median, seconds } from './bench.ts';

export interface CheckpointResult {
  megabytes: number;
  /** Seconds: written, flushed and hashed; and held against its checksums. */
  written: number;
  verified: number;
}

export const checkpoint: Bench<CheckpointResult> = {
  run: benchCheckpoint,
  tell: ({ megabytes, written, verified }) => [
    'A checkpoint of LoRA rank 16 on the seven linears of the 2B decoder',
    `  ${megabytes.toFixed(0)} MB                 written in ${written.toFixed(2)} s, verified in ${verified.toFixed(2)} s`,
  ],
};

const rank = 16;
/** In and out features of q, k, v, o, gate, up and down. */
const linears = [
  [1536, 1536],
  [1536, 256],
  [1536, 256],
  [1536, 1536],
  [1536, 8960],
  [1536, 8960],
  [8960, 1536],
];

async function benchCheckpoint({ rounds, quick, scratch }: BenchOptions): Promise<CheckpointResult> {
  const layers = quick ? 1 : 28;
  const trainables = Array.from({ length: layers }, (_, layer) =>
    linears.flatMap(([from, to], i) => [
      trainable(`${layer}.${i}.A`, [rank, from]),
      trainable(`${layer}.${i}.B`, [to, rank]),
    ]),
  ).flat();
  const optimizer = createAdamW();
  for (const { name, values } of trainables) {
    optimizer.moments.set(name, { step: 1, m: values.slice(), v: values.slice() });
  }
  const folder = mkdtempSync(join(scratch, 'checkpoint-'));
  const [written, verified]: number[][] = [[], []];
  try {
    for (let round = 0; round < rounds; round++) {
      const path = join(folder, 'step-1');
      rmSync(path, { recursive: true, force: true });
      written.push(
        await seconds(() =>
          writeFolderAtomically(path, async (into) => {
            await writeTensors(into, trainables, optimizer);
            await writeManifest(into);
          }),
        ),
      );
      verified.push(await seconds(() => damageOf(path)));
    }
    const path = join(folder, 'step-1');
    const bytes = readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
    return { megabytes: bytes / 1e6, written: median(written), verified: median(verified) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function trainable(name: string, shape: number[]): Trainable {
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i));
  return { name, shape, values, decay: true };
}
