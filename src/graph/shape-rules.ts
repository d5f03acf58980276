/** What type each op gives, from the types of its inputs: one total table. */
import type { OpKind, Ops, ScalarType, TensorType } from './ir.ts';
import { broadcastShapes, type Dim, elementCount, type Shape, sameShape, shapeError } from './shape.ts';

type ShapeRule<K extends OpKind> = (attributes: Ops[K], inputs: readonly TensorType[]) => TensorType;

const f32 = (shape: Shape): TensorType => ({ shape, dtype: 'f32' });

function expectType(type: TensorType, dtype: ScalarType, op: string): void {
  if (type.dtype !== dtype) throw shapeError(`${op} expected ${dtype}, got ${type.dtype} [${type.shape}]`);
}

function expectCount(inputs: readonly TensorType[], count: number, op: string): void {
  if (inputs.length !== count) throw shapeError(`${op} expected ${count} inputs, got ${inputs.length}`);
}

function elementwise(op: OpKind) {
  return (_: unknown, inputs: readonly TensorType[]) => {
    expectCount(inputs, 1, op);
    expectType(inputs[0], 'f32', op);
    return inputs[0];
  };
}

function broadcasting(op: OpKind) {
  return (_: unknown, inputs: readonly TensorType[]) => {
    expectCount(inputs, 2, op);
    for (const type of inputs) expectType(type, 'f32', op);
    return f32(broadcastShapes(inputs[0].shape, inputs[1].shape));
  };
}

function reducing({ axes }: { axes: readonly number[] }, [x]: readonly TensorType[]): TensorType {
  for (const axis of axes)
    if (axis < 0 || axis >= x.shape.length) throw shapeError(`reduction axis ${axis} outside [${x.shape}]`);
  return f32(x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)));
}

function expectVectors(x: TensorType, vectors: readonly TensorType[], op: string): TensorType {
  const width = x.shape.at(-1)!;
  for (const { shape } of vectors)
    if (!sameShape(shape, [width])) throw shapeError(`${op} expected weights [${width}], got [${shape}]`);
  return x;
}

function expectColumns(x: TensorType, columns: TensorType, op: string): void {
  expectType(columns, 'i32', op);
  if (x.shape.length !== 2 || !sameShape(columns.shape, [x.shape[0]]))
    throw shapeError(`${op} expected x [N, V] and columns [N], got [${x.shape}] and [${columns.shape}]`);
}

/** Rows and columns of a matrix operand, as they stand after its transposition. */
const matrix = (shape: Shape, transposed: boolean): [Dim, Dim] => {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
};

export const shapeRules: { [K in OpKind]: ShapeRule<K> } = {
  input: ({ type }) => type,
  parameter: ({ type }) => type,
  constant: ({ type, data }) => {
    if (elementCount(type.shape) !== String(data.length))
      throw shapeError(`constant [${type.shape}] expected its own number of elements, got ${data.length}`);
    return type;
  },
  matmul: ({ transA, transB }, inputs) => {
    expectCount(inputs, 2, 'matmul');
    const [a, b] = inputs.map((type) => type.shape);
    const [rows, inner] = matrix(a, transA);
    const [innerB, columns] = matrix(b, transB);
    const batch = a.slice(0, -2);
    const shared = b.length === 2 && a.length > 2;
    if (inner !== innerB || (shared && transA) || (!shared && !sameShape(batch, b.slice(0, -2))))
      throw shapeError(
        `matmul expected matching operands, got [${a}]${transA ? "'" : ''} x [${b}]${transB ? "'" : ''}`,
      );
    return f32([...batch, rows, columns]);
  },
  add: broadcasting('add'),
  subtract: broadcasting('subtract'),
  multiply: broadcasting('multiply'),
  divide: broadcasting('divide'),
  maximum: broadcasting('maximum'),
  scale: elementwise('scale'),
  shift: elementwise('shift'),
  exp: elementwise('exp'),
  log: elementwise('log'),
  sqrt: elementwise('sqrt'),
  sigmoid: elementwise('sigmoid'),
  erf: elementwise('erf'),
  sigmoidGate: elementwise('sigmoidGate'),
  equal: (_, [a, b]) => f32(broadcastShapes(a.shape, b.shape)),
  softmax: elementwise('softmax'),
  reduceSum: reducing,
  reduceMax: reducing,
  broadcastTo: ({ shape }, [x]) => {
    if (!sameShape(broadcastShapes(x.shape, shape), shape))
      throw shapeError(`[${x.shape}] does not broadcast to [${shape}]`);
    return f32(shape);
  },
  reshape: ({ shape }, [x]) => {
    if (elementCount(shape) !== elementCount(x.shape))
      throw shapeError(`reshape expected as many elements as [${x.shape}], got [${shape}]`);
    return { shape, dtype: x.dtype };
  },
  transpose: ({ permutation }, [x]) => {
    if (
      [...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) ||
      permutation.length !== x.shape.length
    )
      throw shapeError(`transpose expected a permutation of ${x.shape.length} axes, got [${permutation}]`);
    return { shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype };
  },
  concat: ({ axis, length }, inputs) => {
    const { shape, dtype } = inputs[0];
    const isUnknown = (dim: Dim) => typeof dim !== 'number' && length === undefined;
    for (const type of inputs)
      if (type.shape.some((dim, i) => (i === axis ? isUnknown(dim) : dim !== shape[i])))
        throw shapeError(`concat along axis ${axis} expected shapes like [${shape}], got [${type.shape}]`);
    const total = length ?? inputs.reduce((sum, type) => sum + Number(type.shape[axis]), 0);
    return { shape: shape.map((dim, i) => (i === axis ? total : dim)), dtype };
  },
  slice: ({ axis, start, end }, [x]) => {
    const length = x.shape[axis];
    if (typeof length !== 'number' || start < 0 || end > length || start >= end)
      throw shapeError(`slice expected a range inside axis ${axis} of [${x.shape}], got ${start}..${end}`);
    return { shape: x.shape.map((dim, i) => (i === axis ? end - start : dim)), dtype: x.dtype };
  },
  gather: (_, [data, indices]) => {
    expectType(indices, 'i32', 'gather');
    if (indices.shape.length !== 1) throw shapeError(`gather expected indices [N], got [${indices.shape}]`);
    return { shape: [indices.shape[0], ...data.shape.slice(1)], dtype: data.dtype };
  },
  scatterAdd: ({ rows }, [indices, updates]) => {
    expectType(indices, 'i32', 'scatterAdd');
    if (indices.shape[0] !== updates.shape[0])
      throw shapeError(`scatterAdd expected an index a row, got [${indices.shape}] for [${updates.shape}]`);
    return f32([rows, ...updates.shape.slice(1)]);
  },
  pickColumn: (_, [x, columns]) => {
    expectColumns(x, columns, 'pickColumn');
    return f32([x.shape[0], 1]);
  },
  fillColumn: (_, [x, columns, values]) => {
    expectColumns(x, columns, 'fillColumn');
    if (!sameShape(broadcastShapes(values.shape, [x.shape[0], 1]), [x.shape[0], 1]))
      throw shapeError(`fillColumn expected values [${x.shape[0]}, 1] or [1, 1], got [${values.shape}]`);
    return x;
  },
  read: elementwise('read'),
  rmsNorm: (_, [x, ...vectors]) => expectVectors(x, vectors, 'rmsNorm'),
  layerNorm: (_, [x, ...vectors]) => expectVectors(x, vectors, 'layerNorm'),
  rotary: ({ heads }, [x, cos, sin]) => {
    const half = Number(x.shape[1]) / heads / 2;
    const expected = [x.shape[0], half];
    if (!sameShape(cos.shape, expected) || !sameShape(sin.shape, expected))
      throw shapeError(`rotary expected cos and sin [${expected}], got [${cos.shape}] and [${sin.shape}]`);
    return x;
  },
  dropout: (_, [x, keys]) => {
    expectType(keys, 'i32', 'dropout');
    if (x.shape.length !== 2 || !sameShape(keys.shape, [x.shape[0]]))
      throw shapeError(`dropout expected x [T, D] and keys [T], got [${x.shape}] and [${keys.shape}]`);
    return x;
  },
};

/** The table, applied to one node. */
export function inferType<K extends OpKind>(
  op: K,
  attributes: Ops[K],
  inputs: readonly TensorType[],
): TensorType {
  return shapeRules[op](attributes, inputs);
}
