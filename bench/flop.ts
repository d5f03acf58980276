/** What a graph's products cost, at 2 for each multiply-add: the arithmetic that MatMul's rate is held against. */
import { type Graph, nodesOfKind } from '../src/graph/ir.ts';
import { splitDim } from '../src/graph/shape.ts';

/** GFLOP of one run with the symbols at these lengths. */
export function graphGflop(graph: Graph, lengths: Readonly<Record<string, number>>): number {
  const size = (dim: number | string) => {
    const { factor, symbol } = splitDim(dim);
    return factor * (symbol === undefined ? 1 : lengths[symbol]);
  };
  return nodesOfKind(graph, 'matmul').reduce((sum, { type, inputs, attributes }) => {
    const left = graph.nodes[inputs[0]].type.shape;
    const inner = size(left[left.length - (attributes.transA ? 2 : 1)]);
    return sum + (2 * inner * type.shape.reduce<number>((product, dim) => product * size(dim), 1)) / 1e9;
  }, 0);
}
