/**
 * What a kept picture costs beside one that is computed: one picture of 324 image tokens at 2B widths, with 4 of the vision
 * tower's 32 layers, from memory, from disk and through the tower; and what small pictures gain by sharing a run.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentDigest } from '../src/cache/content-digest.ts';
import { DiskShelf } from '../src/cache/disk.ts';
import { MatrixCache } from '../src/cache/matrix-cache.ts';
import { MemoryShelf } from '../src/cache/memory.ts';
import type { Precision } from '../src/cache/precision.ts';
import type { Grid } from '../src/data/example.ts';
import type { TensorLocation } from '../src/formats/safetensors.ts';
import { alikeVisionFeeds, type Feeds, patchCount, visionFeeds } from '../src/models/qwen2-vl/feeds.ts';
import { imageEmbeddings, type ModelDefinition, visionGraph } from '../src/models/qwen2-vl/forward.ts';
import { parameterTable } from '../src/models/qwen2-vl/weights.ts';
import type { Parameter } from '../src/nn/network.ts';
import { openSession, type SessionOptions } from '../src/runtime/session.ts';
import { placesFor } from '../src/train/image-embedder.ts';
import { type Bench, median, percent } from './bench.ts';
import { layersConfig } from './layers.ts';
import { writeWeights } from './weights.ts';

const depth = 4;
const base = layersConfig('2B', 0);
const config = { ...base, vision: { ...base.vision, depth } };
const large: Grid = [1, 36, 36];
const small: Grid[] = [
  [1, 4, 4],
  [1, 8, 8],
];

export interface CacheResult {
  /** Milliseconds a picture of 324 tokens; `write` is what keeping it on disk adds, once. */
  milliseconds: Record<Precision, Record<'memory' | 'disk' | 'write', number>> & { tower: number };
  /** Bytes of one entry. */
  bytes: Record<Precision, number>;
  /** Milliseconds a small picture takes alone and in a full run, by its patches. */
  small: { patches: number; places: number; alone: number; together: number }[];
  /** Share of numbers that differ from those of pictures alone: four of one grid together, and the same behind a mask. */
  differing: Record<'together' | 'masked', number>;
  /** GB a second of the weights' digest, where it is not remembered. */
  digestRate: number;
}

export async function benchCache(threads: number, rounds: number): Promise<CacheResult> {
  const { model, tensors } = tower();
  const options: SessionOptions = { target: 'cpu', threads };
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-bench-cache-'));
  try {
    const bytes = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const digest = await milliseconds(rounds, () =>
      contentDigest(tensors, join(folder, String(Math.random()))),
    );
    return {
      milliseconds: {
        tower: await towerTime(model, large, 1, options, rounds),
        f32: await cacheTimes(folder, 'f32', rounds),
        f16: await cacheTimes(folder, 'f16', rounds),
      },
      bytes: { f32: 4 * entryValues, f16: 2 * entryValues },
      small: await smallTimes(model, options, rounds),
      differing: await differing(model, options),
      digestRate: bytes / 1e6 / digest,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const entryRows = patchCount(large) / 4;
const entryValues = entryRows * config.text.hiddenSize;

function tower(): { model: ModelDefinition; tensors: TensorLocation[] } {
  const scratch = join(tmpdir(), 'lorikeet-bench');
  mkdirSync(scratch, { recursive: true });
  const vision = parameterTable(config).filter(({ name }) => name.startsWith('model.visual.'));
  const shapes = new Map(vision.map(({ name, shape }) => [name, shape]));
  const weights = writeWeights(join(scratch, `vision-${depth}-bf16.bin`), shapes, 'bf16');
  const parameters = [...weights].map(([name, location]): [string, Parameter] => [
    name,
    { name, shape: location.shape, role: 'frozen', location },
  ]);
  const model = { config, parameters: new Map(parameters), lora: new Map(), recompute: false };
  return { model, tensors: [...weights.values()] };
}

/** Of a run with so many places for pictures of a grid. */
async function towerTime(
  model: ModelDefinition,
  grid: Grid,
  places: number,
  options: SessionOptions,
  rounds: number,
): Promise<number> {
  const session = await openSession(visionGraph(model, { alike: places }), options);
  const patches = Float32Array.from({ length: patchCount(grid) * 1176 }, (_, i) => Math.sin(i * 0.37));
  const feeds = alikeVisionFeeds(Array(places).fill(patches), grid, places, config);
  const time = await milliseconds(rounds, () => session.run(feeds));
  await session.close();
  return time;
}

async function smallTimes(model: ModelDefinition, options: SessionOptions, rounds: number) {
  const times: CacheResult['small'] = [];
  for (const grid of small) {
    const places = placesFor(grid);
    const alone = await towerTime(model, grid, 1, options, rounds);
    const together = (await towerTime(model, grid, places, options, rounds)) / places;
    times.push({ patches: patchCount(grid), places, alone, together });
  }
  return times;
}

async function differing(model: ModelDefinition, options: SessionOptions): Promise<CacheResult['differing']> {
  const grid: Grid = [1, 6, 10];
  const images = [1, 2, 3, 4].map((seed) =>
    Float32Array.from({ length: patchCount(grid) * 1176 }, (_, i) => Math.sin(i * 0.37 + seed)),
  );
  const run = async (shape: Parameters<typeof visionGraph>[1], feeds: Feeds) => {
    const session = await openSession(visionGraph(model, shape), options);
    const rows = (await session.run(feeds))[imageEmbeddings] as Float32Array;
    await session.close();
    return rows;
  };
  const alone: number[] = [];
  for (const image of images) alone.push(...(await run({}, alikeVisionFeeds([image], grid, 1, config))));
  const share = (rows: Float32Array) => rows.filter((value, i) => value !== alone[i]).length / rows.length;
  const masked = images.map((patches) => ({ grid, patches }));
  return {
    together: share(await run({ alike: 4 }, alikeVisionFeeds(images, grid, 4, config))),
    masked: share(await run({ several: true }, visionFeeds(masked, config, { mask: true }))),
  };
}

async function cacheTimes(folder: string, precision: Precision, rounds: number) {
  const values = Float32Array.from({ length: entryValues }, (_, i) => Math.sin(i * 0.37) * 3);
  const about = { shelf: `${'0'.repeat(16)}-${'0'.repeat(16)}`, owner: precision, about: {}, most: 20e9 };
  const open = (memory: number, disk: boolean) =>
    new MatrixCache({
      columns: config.text.hiddenSize,
      precision,
      memory: new MemoryShelf(memory, 'first'),
      disk: disk
        ? new DiskShelf({ ...about, folder: join(folder, precision), tell: console.error })
        : undefined,
      tell: console.error,
    });
  const [inMemory, onDisk, nowhere] = [open(1e9, false), open(0, true), open(1e9, false)];
  let name = 0;
  const kept = await milliseconds(rounds, () => onDisk.keep(`n${name++}`, values));
  const unkept = await milliseconds(rounds, () => nowhere.keep(`n${name++}`, values));
  inMemory.keep('n0', values);
  return {
    memory: await milliseconds(rounds, () => inMemory.find('n0', entryRows)),
    disk: await milliseconds(rounds, () => onDisk.find('n0', entryRows)),
    write: Math.max(0, kept - unkept),
  };
}

/** The median of the rounds, after one that warms up. */
async function milliseconds(rounds: number, work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    await work();
    times.push(performance.now() - begun);
  }
  return median(times);
}

export const cache: Bench<CacheResult> = {
  run: ({ threads, rounds }) => benchCache(threads, rounds),
  tell: ({ milliseconds, bytes, small, differing, digestRate }) => [
    'A picture of 324 image tokens at 2B widths, 4 of 32 vision layers',
    `  through the tower      ${milliseconds.tower.toFixed(0)} ms`,
    ...(['f32', 'f16'] as const).map((precision) => {
      const { memory, disk, write } = milliseconds[precision];
      const size = `${(bytes[precision] / 1e6).toFixed(1)} MB`;
      return `  kept in ${precision}, ${size}    memory ${memory.toFixed(2)} ms, disk ${disk.toFixed(2)} ms; writing it once ${write.toFixed(2)} ms`;
    }),
    ...small.map(
      ({ patches, places, alone, together }) =>
        `  ${String(patches).padStart(3)} patches            alone ${alone.toFixed(0)} ms, ${places} together ${together.toFixed(0)} ms each`,
    ),
    `  numbers that differ    ${percent(differing.together)} of four pictures together, ${percent(differing.masked)} behind a mask`,
    `  digest of the weights  ${digestRate.toFixed(2)} GB/s`,
  ],
};
