/** Checks a whole graph: every input stands before its use, every type is what its rule gives. */
import type { Graph, Node, OpKind } from './ir.ts';
import { sameShape, shapeError } from './shape.ts';
import { inferType } from './shape-rules.ts';

export function verify(graph: Graph): void {
  graph.nodes.forEach((node, index) => {
    for (const input of node.inputs)
      if (!(input >= 0 && input < index))
        throw shapeError(`node ${index} (${node.op}) reads ${input}, not yet computed`);
    const type = inferNode(node, graph);
    if (!sameShape(type.shape, node.type.shape) || type.dtype !== node.type.dtype)
      throw shapeError(
        `node ${index} (${node.op}) expected ${type.dtype} [${type.shape}], got [${node.type.shape}]`,
      );
  });
  const names = new Set<string>();
  for (const { name, value } of graph.outputs) {
    if (names.has(name)) throw shapeError(`output ${name} expected once, got it twice`);
    if (!graph.nodes[value]) throw shapeError(`output ${name} names node ${value}, which does not exist`);
    names.add(name);
  }
}

function inferNode<K extends OpKind>(node: Node<K>, graph: Graph) {
  return inferType(
    node.op as K,
    node.attributes,
    node.inputs.map((value) => graph.nodes[value].type),
  );
}
