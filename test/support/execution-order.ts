/**
 * The order in which ONNX Runtime's sequential executor takes the nodes of a file, as onnxruntime/core/graph does it:
 * depth first from the nodes that no node reads, at each step the one that stands last in the file.
 */
import type { OnnxModel, OnnxNode } from '../../src/formats/onnx.ts';

export function executionOrder({ nodes }: OnnxModel): OnnxNode[] {
  const makers = new Map(nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)));
  const inputsOf = nodes.map(({ inputs }) => inputs.flatMap((name) => makers.get(name) ?? []));
  const read = new Set(inputsOf.flat());
  const stack = [...nodes.keys()]
    .filter((index) => !read.has(index))
    .map((index) => ({ index, done: false }));
  const entered = new Set<number>();
  const order: OnnxNode[] = [];
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (top.done) order.push(nodes[top.index]);
    if (top.done || entered.has(top.index)) continue;
    entered.add(top.index);
    stack.push({ index: top.index, done: true });
    for (const index of inputsOf[top.index].sort((a, b) => a - b)) stack.push({ index, done: false });
  }
  return order;
}

/** The most outputs of the named ops that are alive at once: from the node that makes them to the last that reads. */
export function mostAlive(order: readonly OnnxNode[], ops: readonly string[]): number {
  const lastRead = new Map<string, number>();
  order.forEach(({ inputs }, at) => {
    for (const name of inputs) lastRead.set(name, at);
  });
  const alive = new Set<string>();
  let most = 0;
  order.forEach(({ op, inputs, outputs }, at) => {
    if (ops.includes(op)) alive.add(outputs[0]);
    most = Math.max(most, alive.size);
    for (const name of inputs) if (lastRead.get(name) === at) alive.delete(name);
  });
  return most;
}
