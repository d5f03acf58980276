import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { emit } from '../../src/runtime/emit.ts';
import { executionOrder } from '../../src/runtime/execution-order.ts';

const node = (op: string, inputs: string[], output: string) => ({
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes: {},
});
const ops = (...nodes: ReturnType<typeof node>[]) =>
  executionOrder({ nodes, initializers: [], inputs: [], outputs: [] }).map(({ op }) => op);

describe('the order in which a file runs', () => {
  it('is that of its nodes from the last to the first, where each is read soon after', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', { shape: ['T', 4], dtype: 'f32' });
    graph.output('y', graph.exp(graph.sqrt(graph.add(graph.log(x), x))));
    const { model } = emit(graph.finish(), 'cpu');
    expect(executionOrder(model)).toEqual(model.nodes.toReversed());
  });

  it('puts a node off until somebody reads it', () => {
    // In the file's own order, the last first: Late, Mid, Use. Use reads Mid, then Late.
    expect(ops(node('Use', ['m', 'l'], 'u'), node('Mid', ['x'], 'm'), node('Late', ['x'], 'l'))).toEqual([
      'Late',
      'Mid',
      'Use',
    ]);
    // Early stands last in the file, but only End reads it, and End reads the deeper Middle too.
    expect(
      ops(
        node('End', ['b', 'a'], 'e'),
        node('Middle', ['c'], 'b'),
        node('Early', ['d'], 'a'),
        node('Root', ['x'], 'c'),
        node('Deep', ['x'], 'd'),
      ),
    ).toEqual(['Deep', 'Early', 'Root', 'Middle', 'End']);
  });

  it('comes to a node before all who read it, once', () => {
    const order = ops(node('C', ['a', 'b'], 'c'), node('B', ['a'], 'b'), node('A', ['x'], 'a'));
    expect(order).toEqual(['A', 'B', 'C']);
  });
});
