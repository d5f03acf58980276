/** The decisions about what the vision tower made of pictures. */
import { gigabytes } from '../cache/bytes.ts';
import { bytesOf } from '../config/byte-size.ts';
import type { CacheConfig } from '../config/schema.ts';
import type { Grid } from '../data/example.ts';
import { count, number } from '../words.ts';
import type { Decision } from './events.ts';
import type { VisionCache } from './vision-cache.ts';

/** Whether it is kept, where and why. `cache` is absent where the tower is trained. */
export function describeCache(
  { precision, memory, disk }: CacheConfig,
  cache: VisionCache | undefined,
): Decision[] {
  const what = 'vision cache';
  if (!cache) {
    const reason = 'the vision tower is trained: what it makes of a picture changes with every step';
    return [{ what, value: 'off', reason }];
  }
  const rounded = precision === 'f16' ? '; every picture is used as f16 rounds it, also the first time' : '';
  const [inMemory, onDisk] = [bytesOf(memory)!, bytesOf(disk)!];
  if (inMemory === 0 && onDisk === 0) {
    const reason = `cache.memory and cache.disk are off${rounded}`;
    return [{ what, value: 'off', reason }];
  }
  const places = [
    ...(inMemory > 0 ? [`${gigabytes(inMemory)} in memory`] : []),
    ...(onDisk > 0 ? [`${gigabytes(onDisk)} in ${cache.folder}`] : []),
  ];
  const reason = `the vision tower is frozen, so what it makes of a picture never changes: up to ${places.join(' and ')}${rounded}`;
  return [{ what, value: precision, reason }];
}

/** How many of the pictures of a run need not be computed, and what of the same weights stands there for nothing. */
export function describeKnown(
  { embedder, folder, beside }: VisionCache,
  grids: ReadonlyMap<string, Grid>,
): Decision[] {
  const known = [...grids].filter(([content, grid]) => embedder.knows({ content, grid })).length;
  const reason = folder === undefined ? 'nothing is kept on disk' : `what earlier runs left in ${folder}`;
  const decision = { what: 'pictures known', value: `${number(known)} of ${number(grids.size)}`, reason };
  return beside > 0 ? [decision, describeBeside(beside)] : [decision];
}

function describeBeside(entries: number): Decision {
  const reason =
    'another version, engine, processor or number of threads made them of the same weights, and may have summed in another order';
  return { what: 'entries not used', value: count(entries, 'entry', 'entries'), reason };
}
