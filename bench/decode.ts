/**
 * Decoding at 2B width, token by token, against what this machine's memory gives to a plain read of as many bytes:
 * one row does two operations for each weight, so the weights' way from memory is what it waits for.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layOut } from '../src/data/pack.ts';
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
import { openSession, type SessionOptions } from '../src/runtime/session.ts';
import { type Bench, type BenchOptions, median, percent } from './bench.ts';
import { layersConfig } from './layers.ts';
import { writeWeights } from './weights.ts';

const layers = 4;
const config = layersConfig('2B', layers);
/** Tokens that stand before the one that is decoded: a picture of 448 x 448, a question, some of the answer. */
const tokens = 320;
/** Tokens that are decoded for one figure. */
const repeats = 4;

export interface DecodeResult {
  layers: number;
  /** GB a second, medians of the rounds: a plain read, then the weights of one token, in the bytes of their f32 form. */
  gigabytesPerSecond: Record<'read' | 'packed' | 'mapped' | 'bf16' | 'bf16Packed', number>;
  /** Packed f32 over the plain read of the same round; the median. */
  shareOfBandwidth: number;
  /** Seconds for the decoder and one row of the head over 320 tokens: with a cache, and as training scores. */
  prefill: Record<'cached' | 'scoring', number>;
}

type Run = () => Promise<unknown>;

export const decode: Bench<DecodeResult> = { run: benchDecode, tell: tellDecode };

async function benchDecode({ threads, rounds }: BenchOptions): Promise<DecodeResult> {
  const options: SessionOptions = { target: 'cpu', threads };
  const [f32, bf16] = [model('f32'), model('bf16')];
  const bytes = weightBytes(f32);
  const token = feedsAfter(tokens, 1);
  const decoding = async (definition: ModelDefinition, pack: boolean): Promise<Run> => {
    const session = await openSession(cachedGraph(definition), { ...options, pack });
    return () => session.run(token);
  };
  const sides: Record<keyof DecodeResult['gigabytesPerSecond'], Run> = {
    read: await openRead(bytes, options),
    packed: await decoding(f32, true),
    mapped: await decoding(f32, false),
    bf16: await decoding(bf16, false),
    bf16Packed: await decoding(bf16, true),
  };
  const prefills = await openPrefills(f32, options);
  const times = new Map<string, number[]>();
  const note = (side: string, value: number) => times.set(side, [...(times.get(side) ?? []), value]);
  for (let round = 0; round < rounds; round++) {
    for (const [side, run] of Object.entries(sides)) {
      await run(); // brings back what the others drove out
      note(side, await seconds(run, repeats));
    }
    for (const [side, run] of Object.entries(prefills)) note(side, await seconds(run, 1));
  }
  const rates = Object.keys(sides).map((side) => [side, bytes / 1e9 / median(times.get(side)!)]);
  const shares = times.get('read')!.map((read, round) => read / times.get('packed')![round]);
  return {
    layers,
    gigabytesPerSecond: Object.fromEntries(rates),
    shareOfBandwidth: median(shares),
    prefill: { cached: median(times.get('cached')!), scoring: median(times.get('scoring')!) },
  };
}

function tellDecode({ layers, gigabytesPerSecond, shareOfBandwidth, prefill }: DecodeResult): string[] {
  const { read, packed, mapped, bf16, bf16Packed } = gigabytesPerSecond;
  const rate = (value: number) => `${value.toFixed(1).padStart(5)} GB/s`;
  return [
    `Decoding at 2B width, ${layers} layers and the head, ${tokens} tokens in the cache; f32 bytes`,
    `  a plain read           ${rate(read)}`,
    `  f32 packed             ${rate(packed)}, ${percent(shareOfBandwidth)} of the read`,
    `  f32 mapped             ${rate(mapped)}`,
    `  bf16 packed as f32     ${rate(bf16Packed)}`,
    `  bf16 cast at every use ${rate(bf16)}`,
    `  reading ${tokens} tokens     ${prefill.cached.toFixed(2)} s; scored as in training ${prefill.scoring.toFixed(2)} s`,
  ];
}

/** Seconds of one run, the mean of `count`. */
async function seconds(run: Run, count: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < count; i++) await run();
  return (performance.now() - start) / 1000 / count;
}

function model(dtype: 'f32' | 'bf16'): ModelDefinition {
  const scratch = join(tmpdir(), 'lorikeet-bench');
  mkdirSync(scratch, { recursive: true });
  const text = parameterTable(config).filter(({ name }) => !name.startsWith('model.visual.'));
  const shapes = new Map(text.map(({ name, shape }) => [name, shape]));
  const weights = writeWeights(join(scratch, `decode-${layers}-${dtype}.bin`), shapes, dtype);
  const parameters = [...weights].map(([name, location]): [string, Parameter] => [
    name,
    { name, shape: location.shape, role: 'frozen', location },
  ]);
  return { config, parameters: new Map(parameters), lora: new Map(), recompute: false };
}

/** Of the matrices that one token reads: the layers' and the head, which is the embedding table here. */
function weightBytes({ parameters }: ModelDefinition): number {
  const matrices = [...parameters.values()].filter(({ shape }) => shape.length === 2);
  return matrices.reduce((sum, { location }) => sum + location!.byteLength, 0);
}

/** `count` tokens after `past` that stand in the cache. */
function feedsAfter(past: number, count: number): Feeds {
  const width = cacheWidth(layers, config.text);
  const indices = Int32Array.from({ length: 3 * count }, (_, i) => past + (i % count));
  return {
    ...cachedFeeds([{ ids: idsOf(count), indices, past: [[0, past]] }], past, config),
    [cacheName]: { data: new Float32Array(past * width).fill(0.01), dims: [past, width] },
    ...noImage(),
    rows: { data: Int32Array.of(count - 1), dims: [1] },
  };
}

async function openPrefills(
  definition: ModelDefinition,
  options: SessionOptions,
): Promise<Record<'cached' | 'scoring', Run>> {
  const cached = await openSession(cachedGraph(definition), options);
  const scoring = await openSession(scoringGraph(definition), options);
  const encoded = { row: 0, ids: idsOf(tokens), kinds: new Uint8Array(tokens), grids: [], images: [] };
  const scored = {
    ...textFeeds(layOut([{ encoded }]), config),
    ...noImage(),
    rows: { data: Int32Array.of(tokens - 1), dims: [1] },
    labels: { data: Int32Array.of(1), dims: [1] },
  };
  const prompt = feedsAfter(0, tokens);
  return { cached: () => cached.run(prompt), scoring: () => scoring.run(scored) };
}

const idsOf = (count: number) => Int32Array.from({ length: count }, (_, i) => 1000 + i);

function noImage(): Feeds {
  const width = config.text.hiddenSize;
  return { [imageEmbeddings]: { data: new Float32Array(width), dims: [1, width] } };
}

/** Reads that many bytes with all threads and does nothing with them but their sums. */
async function openRead(bytes: number, options: SessionOptions): Promise<Run> {
  const columns = 8192;
  const rows = Math.floor(bytes / 4 / columns);
  const graph = new GraphBuilder();
  const x = graph.input('x', { shape: [rows, columns], dtype: 'f32' });
  graph.output('sums', graph.reduceSum(x, [1]));
  const session = await openSession(graph.finish(), options);
  const data = new Float32Array(rows * columns).fill(0.5);
  return () => session.run({ x: { data, dims: [rows, columns] } });
}
