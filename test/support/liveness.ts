/** What a graph holds in memory when its nodes run in order: every value lives from its node to its last reader. */
import type { Graph, Node } from '../../src/graph/ir.ts';
import { splitDim } from '../../src/graph/shape.ts';

/** Ops that take no memory of their own: they are fed, mapped, or share their input's bytes. */
const free = new Set<Node['op']>(['input', 'parameter', 'constant', 'reshape']);

/** The peak number of f32 elements alive at once, with every symbol at `length`. */
export function peakElements({ nodes, outputs }: Graph, length: number): number {
  const size = (node: Node) =>
    node.type.shape.reduce<number>((product, dim) => {
      const { factor, symbol } = splitDim(dim);
      return product * factor * (symbol ? length : 1);
    }, 1);
  const owned = nodes.map((node) => (free.has(node.op) ? 0 : size(node)));
  // A reshape keeps its input alive as long as itself.
  const owner = nodes.map((_, value) => value);
  const lastUse = nodes.map((_, value) => value);
  nodes.forEach((node, value) => {
    if (node.op === 'reshape') owner[value] = owner[node.inputs[0]];
    for (const input of node.inputs) lastUse[owner[input]] = value;
  });
  for (const { value } of outputs) lastUse[owner[value]] = nodes.length;
  const dying = new Map<number, number>();
  lastUse.forEach((last, value) => {
    dying.set(last, (dying.get(last) ?? 0) + owned[value]);
  });
  let [alive, peak] = [0, 0];
  nodes.forEach((_, value) => {
    alive += owned[value];
    peak = Math.max(peak, alive);
    alive -= dying.get(value) ?? 0;
  });
  return peak;
}
