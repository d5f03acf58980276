/**
 * One line checks an op: the emitted forward against the evaluator, and the emitted gradient of a random
 * weighted sum of the output against central differences of the evaluator in float64. What memory plans take for
 * its size is held against what came.
 */
import { expect } from 'vitest';
import { backward } from '../../src/autodiff/backward.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Value } from '../../src/graph/ir.ts';
import { type Lengths, type Shape, splitDim } from '../../src/graph/shape.ts';
import { verify } from '../../src/graph/verify.ts';
import { stream } from '../../src/random.ts';
import { emit } from '../../src/runtime/emit.ts';
import { typesOf } from '../../src/runtime/onnx-types.ts';
import { openSession } from '../../src/runtime/session.ts';
import { evaluate, type Feeds } from './evaluate.ts';

export interface OperandSpec {
  /** The shape in the graph; symbols allowed. */
  shape: Shape;
  /** The shape fed, where the graph's has symbols. */
  fed?: number[];
  /** Integer operands are given and get no gradient. */
  integers?: number[];
  /** Draws f32 values; standard normal by default. */
  draw?: (normal: number) => number;
}

export async function checkOp(
  operands: OperandSpec[],
  build: (graph: GraphBuilder, values: Value[]) => Value,
  tolerance = 2e-6,
): Promise<void> {
  const draws = stream(7, 'checkOp');
  const graph = new GraphBuilder();
  const feeds: Feeds = {};
  const inputs = operands.map(({ shape, fed, integers, draw = (x) => x }, i) => {
    const lengths = fed ?? (shape as number[]);
    const count = lengths.reduce((product, dim) => product * dim, 1);
    const data = integers
      ? Int32Array.from(integers)
      : Float32Array.from({ length: count }, () => draw(draws.normal()));
    feeds[`x${i}`] = { shape: lengths, data };
    return graph.input(`x${i}`, { shape, dtype: integers ? 'i32' : 'f32' });
  });
  const y = build(graph, inputs);
  const seed = graph.input('seed', { shape: graph.shape(y), dtype: 'f32' });
  const floats = inputs.filter((_, i) => !operands[i].integers);
  const gradients = backward(graph, [{ value: y, gradient: seed }], floats);
  graph.output('y', y);
  for (const value of floats) if (gradients.has(value)) graph.output(`d${value}`, gradients.get(value)!);
  const finished = graph.finish();
  verify(finished);

  const probe = evaluate(
    { nodes: finished.nodes.slice(0, y + 1), outputs: [{ name: 'y', value: y }] },
    feeds,
  ).y;
  feeds.seed = { shape: probe.shape, data: Float32Array.from(probe.data, () => draws.normal()) };
  const objective = () => {
    const { data } = evaluate(
      { nodes: finished.nodes.slice(0, y + 1), outputs: [{ name: 'y', value: y }] },
      feeds,
    ).y;
    return data.reduce((sum, value, i) => sum + value * feeds.seed.data[i], 0);
  };

  const session = await openSession(finished, { target: 'cpu', threads: 1 });
  const results = await session.run(
    Object.fromEntries(
      Object.entries(feeds).map(([name, { data, shape }]) => [
        name,
        { data: data as Float32Array, dims: shape },
      ]),
    ),
  );
  await session.close();
  const types = typesOf(emit(finished, 'cpu').model, lengthsOf(operands));
  expect(types.get('y')!.dims, 'size in memory plans').toEqual(probe.shape);
  for (const { name } of finished.outputs)
    expect(
      types.get(name)!.dims.reduce((count, length) => count * length, 1),
      `size of ${name} in memory plans`,
    ).toBe(results[name].length);
  expectClose(results.y as Float32Array, probe.data, tolerance, 'forward');
  for (const value of floats) {
    const name = (finished.nodes[value].attributes as { name: string }).name;
    const expected = centralDifferences(objective, feeds, name);
    const found = results[`d${value}`] ?? new Float32Array(expected.length);
    expectClose(found as Float32Array, expected, Math.max(tolerance, 5e-6), `gradient of ${name}`);
  }
}

/** What the symbols of the operands' shapes were fed as. */
function lengthsOf(operands: readonly OperandSpec[]): Lengths {
  return Object.fromEntries(
    operands.flatMap(({ shape, fed }) =>
      shape.flatMap((dim, i) => {
        const { factor, symbol } = splitDim(dim);
        return symbol === undefined ? [] : [[symbol, fed![i] / factor]];
      }),
    ),
  );
}

function centralDifferences(objective: () => number, feeds: Feeds, name: string): Float64Array {
  const data = Float64Array.from(feeds[name].data);
  feeds[name] = { ...feeds[name], data };
  const step = 1e-5;
  return data.map((kept, i) => {
    data[i] = kept + step;
    const above = objective();
    data[i] = kept - step;
    const below = objective();
    data[i] = kept;
    return (above - below) / (2 * step);
  });
}

/** Largest difference over largest value. */
export function expectClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
) {
  expect(found.length, what).toBe(expected.length);
  let [difference, largest] = [0, 1e-12];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(found[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
    if (Number.isNaN(found[i])) difference = Number.NaN;
  }
  expect(difference / largest, what).toBeLessThanOrEqual(tolerance);
}
