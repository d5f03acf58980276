/** What a run holds, counted by hand on graphs of a few nodes: the engine's rules are those of `buffer-plan.ts`. */
import { describe, expect, it } from 'vitest';
import type { TensorLocation } from '../../src/formats/safetensors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Value } from '../../src/graph/ir.ts';
import { graphMemory } from '../../src/runtime/graph-memory.ts';

const width = 64;
/** Bytes of one [T, 64] value at T = 1,024. */
const T = 1024;
const one = 4 * T * width;

function graphOf(build: (graph: GraphBuilder, x: Value) => Value): Graph {
  const graph = new GraphBuilder();
  graph.output('y', build(graph, graph.input('x', { shape: ['T', width], dtype: 'f32' })));
  return graph.finish();
}

const live = (graph: Graph) => graphMemory(graph, 'cpu').ofRun({ T }).live;

describe('buffers that are alive at once', () => {
  it('a value that is read for the last time is written over', () => {
    // exp makes one; sqrt and sigmoid write over it; the output stands beside it.
    expect(live(graphOf((graph, x) => graph.sigmoid(graph.sqrt(graph.exp(x)))))).toBe(2 * one);
  });

  it('one that is read again is not', () => {
    // e is alive while its square root is made; the sum writes over one of the two.
    const graph = graphOf((graph, x) => {
      const e = graph.exp(x);
      return graph.add(graph.sqrt(e), e);
    });
    expect(live(graph)).toBe(2 * one);
  });

  it('a transposition takes a place of its own and gives back that of its input', () => {
    const graph = graphOf((graph, x) => graph.transpose(graph.exp(x), [1, 0]));
    expect(live(graph)).toBe(2 * one);
  });

  it('a view takes none and keeps what it looks at', () => {
    const graph = graphOf((graph, x) => {
      const e = graph.exp(x);
      const view = graph.reshape(e, [width, 'T']);
      return graph.reshape(graph.transpose(view, [1, 0]), ['T', width]);
    });
    // e under its view, the transposition, then the output beside that.
    expect(live(graph)).toBe(2 * one);
  });

  it('halves are cast for each product, into a place that the next product of that shape takes over', () => {
    const shape = [width, 16 * width];
    const location = (name: string): TensorLocation => {
      const byteLength = 2 * shape[0] * shape[1];
      return { file: `/${name}.safetensors`, dtype: 'bf16', shape, offset: 0, byteLength };
    };
    const stack = (count: number) =>
      graphOf((graph, x) => {
        const wide = Array.from({ length: count }, (_, i) =>
          graph.reduceSum(graph.matmul(x, graph.parameter(`w${i}`, shape, location(`w${i}`))), [1]),
        );
        return wide.reduce(graph.add);
      });
    const cast = 4 * shape[0] * shape[1];
    const [three, thirty] = [live(stack(3)), live(stack(30))];
    expect(three).toBeGreaterThanOrEqual(cast + 16 * one);
    expect(three).toBeLessThan(cast + 16 * one + 8 * 4 * T);
    // Each more adds the sum of its rows, never another cast or product.
    expect(thirty - three).toBeLessThanOrEqual(27 * 4 * T);
  });

  it('a place that will be taken over once more is held until then', () => {
    // Between the two products of one shape the first one's place stays taken while the wider ones are made.
    const graph = graphOf((graph, x) => {
      const first = graph.reduceSum(graph.transpose(x, [1, 0]), [0, 1]); // [64, T] free again
      const wide = graph.concat([x, x, x, x], 1); // 4 [T, 64]
      const sum = graph.reduceSum(wide, [0, 1]);
      const both = graph.add(first, sum);
      const again = graph.reduceSum(graph.transpose(graph.reshape(x, ['T', width]), [1, 0]), [0, 1]);
      return graph.add(both, again);
    });
    expect(live(graph)).toBeGreaterThanOrEqual(5 * one);
    expect(live(graph)).toBeLessThan(5 * one + 64);
  });
});

describe('what goes in and out', () => {
  it('is counted by the shapes of the ports', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', { shape: ['T', width], dtype: 'f32' });
    const weight = graph.parameter('w', [width, 3]); // trained, so it is fed
    graph.output('y', graph.matmul(x, weight));
    const { fed, outputs } = graphMemory(graph.finish(), 'cpu').ofRun({ T: 10 });
    expect(fed).toBe(4 * (10 * width + 3 * width));
    expect(outputs).toBe(4 * 10 * 3);
  });
});

describe('the arena after runs', () => {
  const graph = graphOf((graph, x) => graph.transpose(graph.exp(x), [1, 0]));
  const memory = graphMemory(graph, 'cpu');

  it('holds at least what is alive at once, and after the same run once more nothing else', () => {
    const once = memory.arenaAfter([{ T }]);
    expect(once).toBeGreaterThanOrEqual(memory.ofRun({ T }).live);
    expect(memory.arenaAfter([{ T }, { T }])).toBe(once);
  });

  it('never shrinks: a longer run decides, whenever it comes', () => {
    const longest = memory.arenaAfter([{ T: 4000 }]);
    expect(memory.arenaAfter([{ T: 4000 }, { T: 10 }])).toBe(longest);
    expect(memory.arenaAfter([{ T: 10 }, { T: 4000 }])).toBeGreaterThanOrEqual(longest);
  });
});
