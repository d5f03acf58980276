/**
 * The order in which ONNX Runtime's sequential executor takes the nodes of a file (`ReverseDFSFrom` in
 * `core/graph/graph.cc`): depth first from the nodes that no node reads, at each step the one that stands last.
 */
import type { OnnxModel, OnnxNode } from '../formats/onnx.ts';

export function executionOrder({ nodes }: OnnxModel): OnnxNode[] {
  const makers = new Map(nodes.map(({ outputs: [output] }, index) => [output, index]));
  const makersOf = nodes.map(({ inputs }) => inputs.flatMap((name) => makers.get(name) ?? []));
  const read = new Set(makersOf.flat());
  const stack = nodes.flatMap((_, index) => (read.has(index) ? [] : [{ index, isReady: false }]));
  const entered = new Set<number>();
  const order: OnnxNode[] = [];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { index, isReady } = top;
    if (isReady) order.push(nodes[index]);
    if (isReady || entered.has(index)) continue;
    entered.add(index);
    stack.push({ index, isReady: true });
    for (const maker of makersOf[index].sort((a, b) => a - b)) stack.push({ index: maker, isReady: false });
  }
  return order;
}
