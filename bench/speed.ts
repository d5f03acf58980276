/**
 * Decoder layers at 2B and 7B widths, forward and backward, against this machine's own MatMul and PyTorch, interleaved in one
 * run: machines are noisy, ratios of neighbours less so.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openSession } from '../src/runtime/session.ts';
import { type Bench, type BenchOptions, median, noTorch, percent, seconds } from './bench.ts';
import { layerShapes, layersConfig, layersFeeds, layersFlop, layersGraph, type Size } from './layers.ts';
import { Matmul, matmulShape } from './matmul.ts';
import { writeWeights } from './weights.ts';
import { WorkerProcess } from './worker-process.ts';

const tokens = 512;
/** Layers for each size: 7B's are four times as large. */
const layerCounts: [Size, number][] = [
  ['2B', 2],
  ['7B', 1],
];

export interface SpeedResult {
  size: Size;
  layers: number;
  stepSeconds: number;
  /** Medians over the rounds, the share round by round. */
  matmulGflops: number;
  stepGflops: number;
  shareOfMatmul: number;
  /** Ours against PyTorch f32, times as fast, round by round; absent without PyTorch. */
  againstTorch?: number;
}

export const speed: Bench<SpeedResult[]> = {
  async run(options) {
    const sizes = options.quick ? ([['small', 2]] as typeof layerCounts) : layerCounts;
    const results: SpeedResult[] = [];
    for (const [size, layers] of sizes) results.push(await measure(size, layers, options));
    return results;
  },
  tell: (results) => [
    `Decoder layers, ${tokens} tokens, LoRA r = 16 on seven linears, forward + backward, f32, no recompute`,
    ...results.flatMap(
      ({ size, layers, stepSeconds, matmulGflops, stepGflops, shareOfMatmul, againstTorch }) => [
        `  ${size} widths, ${layers} ${layers === 1 ? 'layer' : 'layers'}`,
        `    MatMul ${matmulShape}   ${matmulGflops.toFixed(0)} GFLOP/s`,
        `    the step               ${stepSeconds.toFixed(2)} s, ${stepGflops.toFixed(0)} GFLOP/s, ${percent(shareOfMatmul)} of MatMul`,
        `    ${againstTorch ? `against PyTorch f32    ${againstTorch.toFixed(2)} times as fast` : noTorch}`,
      ],
    ),
  ],
};

async function measure(
  size: Size,
  layers: number,
  { rounds, scratch, threads }: BenchOptions,
): Promise<SpeedResult> {
  mkdirSync(scratch, { recursive: true });
  const config = layersConfig(size, layers);
  const weights = writeWeights(join(scratch, `layers-${size}-${layers}-f32.bin`), layerShapes(config), 'f32');
  const graph = layersGraph(config, weights, { recompute: false });
  const session = await openSession(graph, { target: 'cpu', threads });
  const feeds = layersFeeds(graph, tokens);
  const matmul = await Matmul.open(threads);
  const torch = await WorkerProcess.startPython('torch_layers.py', { ...config.text, tokens, threads });
  const gflop = layersFlop(config, tokens) / 1e9;
  const of: Record<'matmul' | 'step' | 'share' | 'torch', number[]> = {
    matmul: [],
    step: [],
    share: [],
    torch: [],
  };
  for (let round = 0; round < rounds; round++) {
    // Each side's first run after the others' turn brings its memory back and is not timed.
    await session.run(feeds);
    const step = await seconds(() => session.run(feeds));
    const rate = await matmul.rate(step);
    of.step.push(step);
    of.matmul.push(rate);
    of.share.push(gflop / step / rate);
    if (!torch) continue;
    await torch.ask({});
    of.torch.push((await torch.ask({})).value / step);
    await setTimeout(200); // a peer's threads go on spinning for a while after their work
  }
  await session.close();
  torch?.stop();
  return {
    size,
    layers,
    stepSeconds: median(of.step),
    matmulGflops: median(of.matmul),
    stepGflops: gflop / median(of.step),
    shareOfMatmul: median(of.share),
    ...(torch && { againstTorch: median(of.torch) }),
  };
}
