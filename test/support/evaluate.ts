/** What every op means, in float64 and plain TypeScript: the oracle that emitted graphs are held against. */
import { dropoutMask } from '../../src/graph/dropout.ts';
import type { Graph, Node, OpKind, Ops, Value } from '../../src/graph/ir.ts';
import { type Shape, splitDim } from '../../src/graph/shape.ts';

export interface Tensor {
  shape: number[];
  data: Float64Array;
}

export type Feeds = Record<string, { data: ArrayLike<number>; shape: number[] }>;

const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);
export const tensor = (shape: number[], data: ArrayLike<number>): Tensor => ({
  shape,
  data: Float64Array.from(data),
});
const filled = (shape: number[], at: (index: number) => number): Tensor => ({
  shape,
  data: Float64Array.from({ length: size(shape) }, (_, i) => at(i)),
});

/** The coordinates of a flat index. */
function coordinates(index: number, shape: readonly number[]): number[] {
  const at = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = index % shape[axis];
    index = Math.floor(index / shape[axis]);
  }
  return at;
}

/** Reads x at coordinates of a shape it broadcasts to. */
function readBroadcast(x: Tensor, at: readonly number[]): number {
  const offset = at.length - x.shape.length;
  return x.data[x.shape.reduce((flat, dim, i) => flat * dim + (dim === 1 ? 0 : at[offset + i]), 0)];
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) =>
    Math.max(a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1),
  );
}

const binary =
  (f: (a: number, b: number) => number) =>
  (_: unknown, [a, b]: Tensor[]): Tensor => {
    const shape = broadcastShape(a.shape, b.shape);
    return filled(shape, (i) => {
      const at = coordinates(i, shape);
      return f(readBroadcast(a, at), readBroadcast(b, at));
    });
  };

const unary =
  (f: (x: number) => number) =>
  (_: unknown, [x]: Tensor[]): Tensor => ({ shape: x.shape, data: x.data.map(f) });

const reduce =
  (f: (a: number, b: number) => number, start: number) =>
  ({ axes }: { axes: readonly number[] }, [x]: Tensor[]): Tensor => {
    const shape = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
    const out = filled(shape, () => start);
    x.data.forEach((value, i) => {
      const at = coordinates(i, x.shape).map((position, axis) => (axes.includes(axis) ? 0 : position));
      const flat = at.reduce((index, position, axis) => index * shape[axis] + position, 0);
      out.data[flat] = f(out.data[flat], value);
    });
    return out;
  };

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Maclaurin series: exact to float64 for the arguments of tests (|x| < 4). */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function overRows(x: Tensor, f: (row: Float64Array) => Float64Array): Tensor {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width)
    data.set(f(x.data.subarray(start, start + width)), start);
  return { shape: x.shape, data };
}

const mean = (row: Float64Array) => row.reduce((sum, value) => sum + value, 0) / row.length;

function normalise(x: Tensor, weight: Tensor, bias: Tensor | undefined, epsilon: number): Tensor {
  return overRows(x, (row) => {
    const centre = bias ? mean(row) : 0;
    const deviation = row.map((value) => value - centre);
    const spread = Math.sqrt(mean(deviation.map((value) => value * value)) + epsilon);
    return deviation.map((value, i) => (value / spread) * weight.data[i] + (bias?.data[i] ?? 0));
  });
}

function matmul({ transA, transB }: Ops['matmul'], [a, b]: Tensor[]): Tensor {
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const [m, inner] = transA ? [columnsA, rowsA] : [rowsA, columnsA];
  const n = transB ? rowsB : columnsB;
  const batch = a.shape.slice(0, -2);
  return filled([...batch, m, n], (flat) => {
    const [column, row, which] = [flat % n, Math.floor(flat / n) % m, Math.floor(flat / (n * m))];
    const startA = which * rowsA * columnsA;
    const startB = b.shape.length > 2 ? which * rowsB * columnsB : 0;
    let sum = 0;
    for (let k = 0; k < inner; k++)
      sum +=
        a.data[startA + (transA ? k * columnsA + row : row * columnsA + k)] *
        b.data[startB + (transB ? column * columnsB + k : k * columnsB + column)];
    return sum;
  });
}

function rotate({ heads }: Ops['rotary'], [x, cos, sin]: Tensor[]): Tensor {
  const width = x.shape[1];
  const [size, half] = [width / heads, width / heads / 2];
  return filled(x.shape, (flat) => {
    const [t, column] = [Math.floor(flat / width), flat % width];
    const [head, d] = [Math.floor(column / size), column % size];
    const at = (position: number) => x.data[t * width + head * size + position];
    const [c, s] = [cos.data[t * half + (d % half)], sin.data[t * half + (d % half)]];
    return d < half ? at(d) * c - at(d + half) * s : at(d) * c + at(d - half) * s;
  });
}

function concat({ axis }: Ops['concat'], inputs: Tensor[]): Tensor {
  const shape = [...inputs[0].shape];
  shape[axis] = inputs.reduce((sum, x) => sum + x.shape[axis], 0);
  return filled(shape, (flat) => {
    const at = coordinates(flat, shape);
    let which = 0;
    while (at[axis] >= inputs[which].shape[axis]) at[axis] -= inputs[which++].shape[axis];
    return readBroadcastExact(inputs[which], at);
  });
}

const readBroadcastExact = (x: Tensor, at: readonly number[]) =>
  x.data[at.reduce((flat, position, axis) => flat * x.shape[axis] + position, 0)];

type Meaning<K extends OpKind> = (attributes: Ops[K], inputs: Tensor[], shape: number[]) => Tensor;

const leaf = () => {
  throw new Error('leaves are fed, not computed');
};

const meanings: { [K in OpKind]: Meaning<K> } = {
  input: leaf,
  parameter: leaf,
  constant: ({ data }, _, shape) => tensor(shape, data),
  matmul,
  add: binary((a, b) => a + b),
  subtract: binary((a, b) => a - b),
  multiply: binary((a, b) => a * b),
  divide: binary((a, b) => a / b),
  maximum: binary(Math.max),
  scale: ({ factor }, inputs) => unary((x) => x * factor)(0, inputs),
  shift: ({ term }, inputs) => unary((x) => x + term)(0, inputs),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  sigmoid: unary(sigmoid),
  erf: unary(erf),
  sigmoidGate: ({ alpha }, inputs) => unary((x) => x * sigmoid(alpha * x))(0, inputs),
  equal: binary((a, b) => Number(a === b)),
  softmax: (_, [x]) =>
    overRows(x, (row) => {
      const largest = Math.max(...row);
      const weights = row.map((value) => Math.exp(value - largest));
      const total = weights.reduce((sum, value) => sum + value, 0);
      return weights.map((value) => value / total);
    }),
  reduceSum: reduce((a, b) => a + b, 0),
  reduceMax: reduce(Math.max, Number.NEGATIVE_INFINITY),
  broadcastTo: (_, [x], shape) => filled(shape, (i) => readBroadcast(x, coordinates(i, shape))),
  reshape: (_, [x], shape) => ({ shape, data: x.data }),
  transpose: ({ permutation }, [x], shape) =>
    filled(shape, (i) => {
      const at = coordinates(i, shape);
      return readBroadcastExact(
        x,
        [...x.shape.keys()].map((axis) => at[permutation.indexOf(axis)]),
      );
    }),
  concat,
  slice: ({ axis, start }, [x], shape) =>
    filled(shape, (i) =>
      readBroadcastExact(
        x,
        coordinates(i, shape).map((p, a) => (a === axis ? p + start : p)),
      ),
    ),
  gather: (_, [data, indices], shape) => {
    const width = size(data.shape.slice(1));
    return filled(shape, (i) => data.data[indices.data[Math.floor(i / width)] * width + (i % width)]);
  },
  scatterAdd: (_, [indices, updates], shape) => {
    const width = size(shape.slice(1));
    const out = filled(shape, () => 0);
    updates.data.forEach((value, i) => {
      out.data[indices.data[Math.floor(i / width)] * width + (i % width)] += value;
    });
    return out;
  },
  pickColumn: ({ start }, [x, columns], shape) =>
    filled(shape, (n) => {
      const place = columns.data[n] - start;
      return place >= 0 && place < x.shape[1] ? x.data[n * x.shape[1] + place] : 0;
    }),
  fillColumn: ({ start }, [x, columns, values]) =>
    filled(x.shape, (flat) => {
      const [n, column] = coordinates(flat, x.shape);
      return column === columns.data[n] - start ? readBroadcast(values, [n, 0]) : x.data[flat];
    }),
  read: unary((x) => x),
  rmsNorm: ({ epsilon }, [x, weight]) => normalise(x, weight, undefined, epsilon),
  layerNorm: ({ epsilon }, [x, weight, bias]) => normalise(x, weight, bias, epsilon),
  rotary: rotate,
  dropout: (attributes, [x, keys]) => {
    const mask = dropoutMask(Int32Array.from(keys.data), x.shape[1], attributes);
    return { shape: x.shape, data: x.data.map((value, i) => value * mask[i]) };
  },
};

/** The symbols' lengths, read off the fed tensors. */
function bindSymbols(graph: Graph, feeds: Feeds): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const node of graph.nodes)
    if (node.op === 'input')
      node.type.shape.forEach((dim, axis) => {
        const { factor, symbol } = splitDim(dim);
        if (symbol) lengths.set(symbol, feeds[node.attributes.name].shape[axis] / factor);
      });
  return lengths;
}

export function evaluate(graph: Graph, feeds: Feeds): Record<string, Tensor> {
  const lengths = bindSymbols(graph, feeds);
  const concrete = (shape: Shape) =>
    shape.map((dim) => {
      const { factor, symbol } = splitDim(dim);
      return symbol ? factor * lengths.get(symbol)! : factor;
    });
  const values: Tensor[] = [];
  const compute = <K extends OpKind>(node: Node<K>): Tensor => {
    if (node.op === 'input' || node.op === 'parameter') {
      const { data, shape } = feeds[(node.attributes as Ops['input']).name];
      return tensor(shape, data);
    }
    const inputs = node.inputs.map((input: Value) => values[input]);
    return meanings[node.op as K](node.attributes, inputs, concrete(node.type.shape));
  };
  for (const node of graph.nodes) values.push(compute(node));
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, values[value]]));
}
