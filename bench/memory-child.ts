/** The process that bench/memory.ts watches: names each stage on stdout, pausing so that the watcher can look. */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openSession } from '../src/runtime/session.ts';
import { layerShapes, layersConfig, layersFeeds, layersGraph } from './layers.ts';
import type { MemoryCase } from './memory.ts';
import { writeWeights } from './weights.ts';

const { layers, recompute, tokens, dtype, size } = JSON.parse(process.argv[2]) as MemoryCase;
const scratch = join(tmpdir(), 'lorikeet-bench');
mkdirSync(scratch, { recursive: true });

async function say(stage: string) {
  process.stdout.write(`${stage}\n`);
  await setTimeout(100);
}

const config = layersConfig(size, layers);
const weights = writeWeights(
  join(scratch, `layers-${size}-${layers}-${dtype}.bin`),
  layerShapes(config),
  dtype,
);
const graph = layersGraph(config, weights, { recompute });
const feeds = layersFeeds(graph, tokens);
await say('base');
const session = await openSession(graph, { target: 'cpu', threads: 2 });
await say('opened');
await session.run(feeds);
await say('step');
const start = performance.now();
for (let i = 0; i < 2; i++) await session.run(feeds);
await say(`seconds ${(performance.now() - start) / 2000}`);
await session.close();
