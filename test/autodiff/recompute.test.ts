import { expect, it } from 'vitest';
import { backward } from '../../src/autodiff/backward.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Value } from '../../src/graph/ir.ts';
import { verify } from '../../src/graph/verify.ts';
import { stream } from '../../src/random.ts';
import { emit } from '../../src/runtime/emit.ts';
import { openSession } from '../../src/runtime/session.ts';
import { peakElements } from '../support/liveness.ts';

const width = 8;
const tokens = 32;

/** A residual stack with several wide values inside each layer and one trained weight a layer. */
function stack(layers: number, recompute: boolean): Graph {
  const graph = new GraphBuilder();
  let x = graph.input('x', { shape: ['T', width], dtype: 'f32' });
  const weights: Value[] = [];
  for (let i = 0; i < layers; i++) {
    const weight = graph.parameter(`w${i}`, [width, width]);
    const layer = () => {
      let wide = x;
      for (let j = 0; j < 5; j++) wide = graph.sigmoid(graph.matmul(wide, weight));
      return graph.add(x, wide);
    };
    weights.push(weight);
    x = recompute ? graph.recomputed(layer) : layer();
  }
  const seed = graph.input('seed', { shape: ['T', width], dtype: 'f32' });
  const gradients = backward(graph, [{ value: x, gradient: seed }], weights);
  weights.forEach((weight, i) => {
    graph.output(`d${i}`, gradients.get(weight)!);
  });
  return graph.finish();
}

async function run(graph: Graph, layers: number) {
  const draws = stream(3, 'recompute');
  const feed = (...dims: number[]) => {
    const size = dims.reduce((a, b) => a * b);
    return { data: Float32Array.from({ length: size }, () => draws.normal()), dims };
  };
  const feeds = { x: feed(tokens, width), seed: feed(tokens, width) };
  const weights = Array.from({ length: layers }, (_, i) => [`w${i}`, feed(width, width)]);
  const session = await openSession(graph, { target: 'cpu', threads: 1 });
  const results = await session.run({ ...feeds, ...Object.fromEntries(weights) });
  await session.close();
  return results;
}

it('computes the very same gradients', async () => {
  const [kept, again] = [stack(3, false), stack(3, true)];
  verify(kept);
  verify(again);
  expect(await run(again, 3)).toEqual(await run(kept, 3));
});

it('keeps of each layer its input alone', () => {
  const activation = tokens * width;
  const gradients = width * width;
  const growth = (recompute: boolean) =>
    (peakElements(stack(12, recompute), tokens) - peakElements(stack(4, recompute), tokens)) / 8;
  expect(growth(true)).toBeLessThanOrEqual(activation + gradients);
  expect(growth(false)).toBeGreaterThanOrEqual(5 * activation);
});

it('recomputes a layer in the backward pass, just before its own gradient', () => {
  const { nodes } = stack(2, true);
  const sigmoids = nodes.flatMap((node, i) => (node.op === 'sigmoid' ? [i] : []));
  const firstGradient = nodes.findIndex((node) => node.op === 'multiply');
  const [forward, last, first] = [sigmoids.slice(0, 10), sigmoids.slice(10, 15), sigmoids.slice(15)];
  expect(Math.max(...forward)).toBeLessThan(Math.min(...last));
  expect(first).toHaveLength(5);
  // The last layer's gradient stands between the two recomputations.
  expect(firstGradient).toBeGreaterThan(Math.min(...last));
  expect(firstGradient).toBeLessThan(Math.min(...first));
});

it('writes the file backwards, because the executor takes its last node first', () => {
  const { model } = emit(stack(2, true), 'cpu');
  const ready = new Set([...model.inputs, ...model.initializers].map(({ name }) => name));
  for (const node of model.nodes.toReversed()) {
    for (const input of node.inputs) expect(ready.has(input), input).toBe(true);
    for (const output of node.outputs) ready.add(output);
  }
});
