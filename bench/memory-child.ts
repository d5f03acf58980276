/** The process that bench/memory.ts watches. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openSession, type Session } from '../src/runtime/session.ts';
import { seconds } from './bench.ts';
import { layerShapes, layersConfig, layersFeeds, layersGraph } from './layers.ts';
import type { MemoryCase, MemoryRequest } from './memory.ts';
import { writeWeights } from './weights.ts';
import { answer } from './worker-process.ts';

const { layers, recompute, tokens, dtype, size, scratch, threads }: MemoryCase = JSON.parse(process.argv[2]);
mkdirSync(scratch, { recursive: true });
const config = layersConfig(size, layers);
const weights = writeWeights(
  join(scratch, `layers-${size}-${layers}-${dtype}.bin`),
  layerShapes(config),
  dtype,
);
const graph = layersGraph(config, weights, { recompute });
const feeds = layersFeeds(graph, tokens);
let session: Session;

await answer(({ do: what }: MemoryRequest) =>
  seconds(async () => {
    if (what === 'open') session = await openSession(graph, { target: 'cpu', threads });
    else await session.run(feeds);
  }),
);
