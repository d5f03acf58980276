/** The updates of an adapter on disk, read as the weights that they belong to come by. */
import { canonicalName } from '../models/qwen2-vl/weights.ts';
import { loraNames, loraScale } from '../nn/network.ts';
import type { LowRankUpdate } from './low-rank.ts';
import type { PlannedTensor } from './merge-plan.ts';
import type { Pace } from './merge-progress.ts';
import { emptyTally, mergedBlocks, plainBlocks, type RoundingTally } from './merge-tensor.ts';
import { type OpenAdapter, readFinite } from './peft.ts';

export const adapterBytes = ({ locations }: OpenAdapter): number =>
  [...locations.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

/** Reads all of it once, so that a value that is not finite is known before anything is written. */
export async function checkValues({ file, locations }: OpenAdapter, pace: Pace): Promise<void> {
  for (const [name, location] of locations) {
    await readFinite(file, name, location);
    pace.pass('check', location.byteLength);
  }
}

/** The bytes of a tensor with the adapter merged into it; `tallies` get an entry for a module that has an update. */
export async function* blocksOf(
  tensor: PlannedTensor,
  adapter: OpenAdapter | undefined,
  tallies: Map<string, RoundingTally>,
): AsyncGenerator<Uint8Array> {
  const module = canonicalName(tensor.name).replace(/\.weight$/, '');
  const update = adapter && (await readUpdate(adapter, module));
  if (!update) return yield* plainBlocks(tensor);
  const tally = emptyTally();
  tallies.set(module, tally);
  yield* mergedBlocks(tensor, update, tally);
}

/** Nothing for a tensor that the adapter leaves alone, and for a module whose B was never trained. */
async function readUpdate(
  { config, file, locations }: OpenAdapter,
  module: string,
): Promise<LowRankUpdate | undefined> {
  const names = loraNames(module);
  const [a, b] = [locations.get(names.a), locations.get(names.b)];
  if (!a || !b) return undefined;
  const factors = { b: await readFinite(file, names.b, b), rank: config.rank, scale: loraScale(config) };
  if (factors.b.every((value) => value === 0)) return undefined;
  return { ...factors, a: await readFinite(file, names.a, a) };
}
