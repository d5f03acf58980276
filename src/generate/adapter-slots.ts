/**
 * Places for an adapter in a graph that any adapter fits: every module has a branch whose rank is a symbol, so that
 * another adapter is another feed and no other session.
 */
import type { Adapter } from '../checkpoint/peft.ts';
import type { LinearModule } from '../nn/lora-targets.ts';
import { type LoraBranch, loraNames, loraScale, type Parameter } from '../nn/network.ts';
import type { FedWeight } from '../runtime/lazy-session.ts';

export interface Slots {
  parameters: Map<string, Parameter>;
  lora: Map<string, LoraBranch>;
}

/** The scale is no part of the graph: B is fed with it. */
export function addSlots(
  parameters: ReadonlyMap<string, Parameter>,
  modules: readonly LinearModule[],
): Slots {
  const all = new Map(parameters);
  const add = (name: string, shape: Parameter['shape']) => all.set(name, { name, shape, role: 'trainable' });
  for (const { name, inFeatures, outFeatures } of modules) {
    const { a, b } = loraNames(name);
    add(a, ['R', inFeatures]);
    add(b, [outFeatures, 'R']);
  }
  const branch: LoraBranch = { rank: 1, scale: 1, dropout: 0 };
  return { parameters: all, lora: new Map(modules.map(({ name }) => [name, branch])) };
}

/** What the slots of `modules` are fed: an adapter's tensors, and zeros where it has none. */
export function slotWeights(modules: readonly LinearModule[], adapter?: Adapter): FedWeight[] {
  const rank = adapter?.config.rank ?? 1;
  const scale = adapter ? loraScale(adapter.config) : 1;
  return modules.flatMap(({ name, inFeatures, outFeatures }) => {
    const { a, b } = loraNames(name);
    const [low, high] = [a, b].map((tensor) => adapter?.tensors.get(tensor)?.values);
    return [
      { name: a, shape: [rank, inFeatures], values: low ?? new Float32Array(rank * inFeatures) },
      {
        name: b,
        shape: [outFeatures, rank],
        values: high?.map((value) => value * scale) ?? new Float32Array(outFeatures * rank),
      },
    ];
  });
}
