/**
 * Two decoder layers at 2B and 7B widths, forward and backward, against this machine's own MatMul and PyTorch,
 * interleaved in one run: machines are noisy, ratios of neighbours less so.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { GraphBuilder } from '../src/graph/builder.ts';
import { openSession, type Session } from '../src/runtime/session.ts';
import { type Feeds, layerShapes, layersConfig, layersFeeds, layersFlop, layersGraph } from './layers.ts';
import { startTorchPeer, type TorchPeer } from './torch-peer.ts';
import { writeWeights } from './weights.ts';

const tokens = 512;
const matmulShape = [512, 1536, 8960] as const;

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** The mean time of a run that is repeated for as long as a step takes: what the machine keeps up, not its best moment. */
async function sustained(run: () => Promise<unknown>, length: number): Promise<number> {
  let [total, times] = [0, 0];
  for (; total < length; times++) total += await seconds(run);
  return total / times;
}

async function openMatmul(threads: number): Promise<() => Promise<unknown>> {
  const [m, k, n] = matmulShape;
  const graph = new GraphBuilder();
  const a = graph.input('a', { shape: [m, k], dtype: 'f32' });
  const b = graph.input('b', { shape: [k, n], dtype: 'f32' });
  graph.output('c', graph.reduceSum(graph.slice(graph.matmul(a, b), 0, 0, 1), [0, 1]));
  const session = await openSession(graph.finish(), { target: 'cpu', threads });
  const feeds: Feeds = {
    a: { data: new Float32Array(m * k).fill(0.5), dims: [m, k] },
    b: { data: new Float32Array(k * n).fill(0.25), dims: [k, n] },
  };
  return () => session.run(feeds);
}

export interface SpeedResult {
  size: '2B' | '7B';
  matmulGflops: number;
  stepGflops: number;
  shareOfMatmul: number;
  /** Ours against PyTorch f32, times as fast; absent without PyTorch. */
  againstTorch?: number;
}

/** The median of each side's rounds; the rounds alternate. */
export async function benchSpeed(size: '2B' | '7B', threads: number, rounds: number): Promise<SpeedResult> {
  const scratch = join(tmpdir(), 'lorikeet-bench');
  mkdirSync(scratch, { recursive: true });
  const config = layersConfig(size, 2);
  const weights = writeWeights(join(scratch, `layers-${size}-f32.bin`), layerShapes(config), 'f32');
  const graph = layersGraph(config, weights, { recompute: false });
  const session: Session = await openSession(graph, { target: 'cpu', threads });
  const feeds = layersFeeds(graph, tokens);
  const matmul = await openMatmul(threads);
  const torch = await startTorchPeer({ ...config.text, tokens, threads });
  const times = { matmul: [] as number[], step: [] as number[], torch: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    // Each side's first run after the others' turn brings its memory back and is not timed.
    await session.run(feeds);
    const stepTime = await seconds(() => session.run(feeds));
    await matmul();
    const matmulTime = await sustained(matmul, stepTime);
    await torch?.step();
    const torchTime = await torch?.step();
    await setTimeout(200); // a peer's threads go on spinning for a while after their work
    times.matmul.push(matmulTime);
    times.step.push(stepTime);
    if (torchTime) times.torch.push(torchTime);
  }
  await session.close();
  torch?.stop();
  return summarise(size, layersFlop(config, tokens), times, torch);
}

function summarise(
  size: '2B' | '7B',
  flop: number,
  times: Record<'matmul' | 'step' | 'torch', number[]>,
  torch: TorchPeer | undefined,
): SpeedResult {
  const [m, k, n] = matmulShape;
  const matmulGflops = (2 * m * k * n) / median(times.matmul) / 1e9;
  const stepGflops = flop / median(times.step) / 1e9;
  return {
    size,
    matmulGflops,
    stepGflops,
    shareOfMatmul: stepGflops / matmulGflops,
    ...(torch ? { againstTorch: median(times.torch) / median(times.step) } : {}),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
