/** Where the embeddings of pictures are kept, and all that they depend on beside the pictures themselves. */
import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { contentDigest } from '../cache/content-digest.ts';
import { defaultCache } from '../cache/default-folder.ts';
import { DiskShelf } from '../cache/disk.ts';
import { entryVersion } from '../cache/entry.ts';
import { MatrixCache } from '../cache/matrix-cache.ts';
import { type MemoryPolicy, MemoryShelf } from '../cache/memory.ts';
import { entriesBeside } from '../cache/shelves.ts';
import { bytesOf } from '../config/byte-size.ts';
import type { CacheConfig } from '../config/schema.ts';
import { encodeOnnx } from '../formats/onnx.ts';
import type { TensorLocation } from '../formats/safetensors.ts';
import { isVision, type ModelDefinition, visionGraph } from '../models/qwen2-vl/forward.ts';
import { loadProcessor } from '../models/qwen2-vl/processor.ts';
import { emit } from '../runtime/emit.ts';
import { engineVersion, type SessionOptions } from '../runtime/session.ts';
import { ImageEmbedder, placeCounts } from './image-embedder.ts';

export interface VisionCacheOptions {
  modelDir: string;
  settings: CacheConfig;
  /** What gives way in memory: see `MemoryShelf`. */
  policy: MemoryPolicy;
}

/** An embedder and what it keeps things in, for those who explain it. */
export interface VisionCache {
  embedder: ImageEmbedder;
  /** Absent where nothing is kept on disk. */
  folder?: string;
  /** Entries there for the same pictures and weights that something else made. */
  beside: number;
  /** Bytes that it may keep, in memory and on disk. */
  room: number;
}

/** Pictures that one process may ask about again, where nobody says how much of them to keep. */
const memoryWithoutConfig = 256e6;

/** Nothing on disk: for those who look at a few pictures. */
export function plainCache(model: ModelDefinition, options: SessionOptions): VisionCache {
  const memory = new MemoryShelf(memoryWithoutConfig, 'recent');
  const cache = new MatrixCache({ columns: columnsOf(model), precision: 'f32', memory, tell: () => {} });
  return { embedder: new ImageEmbedder(model, options, cache), beside: 0, room: memoryWithoutConfig };
}

/** As the config's `cache` says. Reads the tower's weights once, where their digest is not remembered. */
export async function openVisionCache(
  model: ModelDefinition,
  options: SessionOptions,
  { modelDir, settings, policy }: VisionCacheOptions,
): Promise<VisionCache> {
  const notices: string[] = [];
  const tell = (notice: string) => notices.push(notice);
  const most = bytesOf(settings.disk)!;
  const folder = settings.folder ?? path.join(defaultCache(process.env), 'vision');
  const { precision } = settings;
  const identity = most > 0 ? await identityOf(model, options, { modelDir, folder, precision }) : undefined;
  const disk = identity && new DiskShelf({ folder, most, ...identity, tell });
  const memory = new MemoryShelf(bytesOf(settings.memory)!, policy);
  const cache = new MatrixCache({ columns: columnsOf(model), precision, memory, disk, tell });
  return {
    embedder: new ImageEmbedder(model, options, cache, notices),
    ...(identity && { folder }),
    beside: identity ? entriesBeside(folder, identity.shelf) : 0,
    room: bytesOf(settings.memory)! + most,
  };
}

const columnsOf = ({ config }: ModelDefinition) => config.text.hiddenSize;

interface Identity {
  shelf: string;
  owner: string;
  about: object;
}

/**
 * What an embedding is of, and what made it. The second decides the last bits: another engine, another processor or
 * another number of threads may sum in another order.
 */
async function identityOf(
  model: ModelDefinition,
  { target, threads }: SessionOptions,
  { modelDir, folder, precision }: { modelDir: string; folder: string; precision: string },
): Promise<Identity> {
  const { identity: pictures } = await loadProcessor(modelDir);
  const weights = contentDigest(visionWeights(model), folder);
  const asked = { pictures, weights, precision };
  const made = {
    entryVersion,
    graphs: graphsDigest(model),
    engine: engineVersion,
    machine: [target, os.platform(), os.arch(), os.cpus()[0]?.model].join(' '),
    threads,
  };
  return {
    shelf: `${short(asked)}-${short(made)}`,
    owner: JSON.stringify({ asked, made }),
    about: { what: 'what a vision tower made of pictures', model: modelDir, ...asked, ...made },
  };
}

const short = (facts: object) =>
  createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);

function visionWeights({ parameters }: ModelDefinition): TensorLocation[] {
  const vision = [...parameters.values()].filter(({ name }) => isVision(name));
  return vision.map(({ location }) => location!);
}

/** Over the tower's graphs as they are run, with weights named and not placed: the same for a copy of the model. */
function graphsDigest(model: ModelDefinition): string {
  const parameters = new Map(
    [...model.parameters].map(([name, parameter]) => {
      const location = parameter.location && { ...parameter.location, file: 'weights', offset: 0 };
      return [name, { ...parameter, location }] as const;
    }),
  );
  const digest = createHash('sha256');
  for (const alike of placeCounts) {
    const { model: onnx } = emit(visionGraph({ ...model, parameters }, { alike }), 'cpu');
    digest.update(encodeOnnx(onnx));
  }
  return digest.digest('hex');
}
