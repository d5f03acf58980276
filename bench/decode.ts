/**
 * Decoding at 2B width, token by token, against what this machine's memory gives to a plain read of as many bytes:
 * one row does two operations for each weight, so the weights' way from memory is what it waits for.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphBuilder } from '../src/graph/builder.ts';
import { cachedFeeds, type Feeds, textFeeds } from '../src/models/qwen2-vl/feeds.ts';
import {
  cachedGraph,
  cacheName,
  imageEmbeddings,
  type ModelDefinition,
  scoringGraph,
} from '../src/models/qwen2-vl/forward.ts';
import { parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { cacheWidth } from '../src/nn/key-value-cache.ts';
import type { Parameter } from '../src/nn/network.ts';
import { openSession, type Session, type SessionOptions } from '../src/runtime/session.ts';
import { layersConfig } from './layers.ts';
import { median } from './speed.ts';
import { writeWeights } from './weights.ts';

const layers = 6;
/** Tokens that stand before the one that is decoded: a picture of 448 x 448, a question, some of the answer. */
const cached = 320;
const promptTokens = 320;

export interface DecodeResult {
  layers: number;
  /** Of the matrices that one token reads, the head among them. */
  megabytes: { f32: number; bf16: number };
  /** GB of weights a second; the median of the rounds. */
  bandwidth: number;
  packed: number;
  mapped: number;
  bf16: number;
  /** Each round's packed rate over its own bandwidth; the median. */
  shareOfBandwidth: number;
  prefillSeconds: { cached: number; scoring: number };
}

export async function benchDecode(threads: number, rounds: number): Promise<DecodeResult> {
  const config = layersConfig('2B', layers);
  const f32 = model('f32');
  const bf16 = model('bf16');
  const options: SessionOptions = { target: 'cpu', threads };
  const sweep = await openSweep(f32.bytes, options);
  const packed = await openSession(cachedGraph(f32.definition), { ...options, pack: true });
  const mapped = await openSession(cachedGraph(f32.definition), options);
  const halves = await openSession(cachedGraph(bf16.definition), options);
  const scoring = await openSession(scoringGraph(f32.definition), options);
  const token = () => packed.run(feedsAt(cached, 1));
  const rates = {
    bandwidth: [] as number[],
    packed: [] as number[],
    mapped: [] as number[],
    bf16: [] as number[],
  };
  const prefill = { cached: [] as number[], scoring: [] as number[] };
  const rate = async (bytes: number, run: () => Promise<unknown>) => {
    await run(); // brings back what the others drove out
    return (
      (bytes /
        1e9 /
        (await seconds(async () => {
          for (let i = 0; i < 3; i++) await run();
        }))) *
      3
    );
  };
  for (let round = 0; round < rounds; round++) {
    rates.bandwidth.push(await rate(f32.bytes, sweep));
    rates.packed.push(await rate(f32.bytes, token));
    rates.mapped.push(await rate(f32.bytes, () => mapped.run(feedsAt(cached, 1))));
    rates.bf16.push(await rate(bf16.bytes, () => halves.run(feedsAt(cached, 1))));
    prefill.cached.push(await seconds(() => packed.run(feedsAt(0, promptTokens))));
    prefill.scoring.push(await seconds(() => scoring.run(scoringFeeds())));
  }
  for (const session of [packed, mapped, halves, scoring]) await session.close();
  return {
    layers,
    megabytes: { f32: f32.bytes / 1e6, bf16: bf16.bytes / 1e6 },
    bandwidth: median(rates.bandwidth),
    packed: median(rates.packed),
    mapped: median(rates.mapped),
    bf16: median(rates.bf16),
    shareOfBandwidth: median(rates.packed.map((packedRate, i) => packedRate / rates.bandwidth[i])),
    prefillSeconds: { cached: median(prefill.cached), scoring: median(prefill.scoring) },
  };

  function model(dtype: 'f32' | 'bf16') {
    const text = parameterTable(config).filter(({ name }) => !name.startsWith('model.visual.'));
    const scratch = join(tmpdir(), 'lorikeet-bench');
    mkdirSync(scratch, { recursive: true });
    const shapes = new Map(text.map(({ name, shape }) => [name, shape]));
    const weights = writeWeights(join(scratch, `decode-${layers}-${dtype}.bin`), shapes, dtype);
    const parameters = new Map(
      [...weights].map(([name, location]): [string, Parameter] => [
        name,
        { name, shape: location.shape, role: 'frozen', location },
      ]),
    );
    const matrices = [...weights.values()].filter(({ shape }) => shape.length === 2);
    const definition: ModelDefinition = { config, parameters, lora: new Map(), recompute: false };
    return { definition, bytes: matrices.reduce((sum, { byteLength }) => sum + byteLength, 0) };
  }

  function feedsAt(past: number, tokens: number): Feeds {
    const width = cacheWidth(layers, config.text);
    const ids = Int32Array.from({ length: tokens }, (_, i) => 1000 + i);
    const indices = Int32Array.from({ length: 3 * tokens }, (_, i) => past + (i % tokens));
    return {
      ...cachedFeeds([{ ids, indices, past: [[0, past]] }], past, config),
      [cacheName]: { data: new Float32Array(past * width).fill(0.01), dims: [past, width] },
      ...noImage(),
      rows: { data: Int32Array.of(tokens - 1), dims: [1] },
    };
  }

  function scoringFeeds(): Feeds {
    const ids = Int32Array.from({ length: promptTokens }, (_, i) => 1000 + i);
    const encoded = { row: 0, ids, kinds: new Uint8Array(promptTokens), grids: [], images: [] };
    return {
      ...textFeeds([encoded], config),
      ...noImage(),
      rows: { data: Int32Array.of(promptTokens - 1), dims: [1] },
      labels: { data: Int32Array.of(1), dims: [1] },
    };
  }

  function noImage(): Feeds {
    const width = config.text.hiddenSize;
    return { [imageEmbeddings]: { data: new Float32Array(width), dims: [1, width] } };
  }
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** Reads as many bytes as one token does, all threads, and does nothing with them but their sums. */
async function openSweep(bytes: number, options: SessionOptions): Promise<() => Promise<unknown>> {
  const columns = 8192;
  const rows = Math.floor(bytes / 4 / columns);
  const graph = new GraphBuilder();
  const x = graph.input('x', { shape: [rows, columns], dtype: 'f32' });
  graph.output('sums', graph.reduceSum(x, [1]));
  const session: Session = await openSession(graph.finish(), options);
  const data = new Float32Array(rows * columns).fill(0.5);
  return () => session.run({ x: { data, dims: [rows, columns] } });
}
