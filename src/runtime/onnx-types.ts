/**
 * The type of every value of an emitted model once its symbols stand for lengths, and what of it the engine knows
 * before a run: it lets values share a buffer only where it can tell that they are of one size.
 */
import type { OnnxInitializer, OnnxModel, OnnxNode, OnnxType } from '../formats/onnx.ts';
import { type Dim, type Lengths, lengthOf, shapeError } from '../graph/shape.ts';
import { executionOrder } from './execution-order.ts';

export interface OnnxValue {
  type: OnnxType;
  dims: readonly number[];
  /** A number, an input's symbol, or nothing. */
  known: readonly (Dim | undefined)[];
  /** The elements of an i64 tensor that shapes are made of, and what the engine knows of them. */
  integers?: readonly number[];
  knownIntegers?: readonly (Dim | undefined)[];
}

const elementBytes: Record<OnnxType, number> = { f32: 4, i32: 4, i64: 8, f16: 2, bf16: 2, u8: 1, bool: 1 };

export function bytesOfElement({ type }: OnnxValue): number {
  return elementBytes[type];
}

export function bytesOf(value: OnnxValue): number {
  return value.dims.reduce((product, length) => product * length, bytesOfElement(value));
}

/** By name, in the order in which the values come to be. Throws `graph` for an op that has no rule here. */
export function typesOf(
  model: OnnxModel,
  lengths: Lengths,
  order: readonly OnnxNode[] = executionOrder(model),
): Map<string, OnnxValue> {
  const values = new Map<string, OnnxValue>();
  for (const { name, type, dims } of model.inputs)
    values.set(name, { type, dims: dims.map((dim) => lengthOf(dim, lengths)), known: dims });
  for (const initializer of model.initializers) values.set(initializer.name, constantOf(initializer));
  for (const node of order) {
    const rule = Object.hasOwn(rules, node.op) ? rules[node.op] : undefined;
    if (!rule) throw shapeError(`the size of what ${node.op} gives expected a rule, found none`);
    const inputs = node.inputs.map((name) => values.get(name)!);
    values.set(node.outputs[0], rule(inputs, node.attributes as Attributes));
  }
  return values;
}

function constantOf({ type, dims, data }: OnnxInitializer): OnnxValue {
  const value = { type, dims, known: dims };
  if (type !== 'i64' || !(data instanceof Uint8Array)) return value;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const integers = Array.from({ length: data.byteLength / 8 }, (_, i) =>
    Number(view.getBigInt64(8 * i, true)),
  );
  return { ...value, integers, knownIntegers: integers };
}

type Attributes = Record<string, number> & { perm: number[] };
type Rule = (inputs: OnnxValue[], attributes: Attributes) => OnnxValue;

const likeFirst: Rule = ([x]) => ({ type: x.type, dims: x.dims, known: x.known });

/** NumPy's broadcasting, of lengths and of what is known of them. */
function broadcast(a: OnnxValue, b: OnnxValue, type = a.type): OnnxValue {
  const rank = Math.max(a.dims.length, b.dims.length);
  const at = <T>(list: readonly T[], i: number, one: T) =>
    i < rank - list.length ? one : list[i - rank + list.length];
  const axes = Array.from({ length: rank }, (_, i) => i);
  return {
    type,
    dims: axes.map((i) => {
      const [x, y] = [at(a.dims, i, 1), at(b.dims, i, 1)];
      return x === 1 ? y : x;
    }),
    known: axes.map((i) => meet(at<Dim | undefined>(a.known, i, 1), at<Dim | undefined>(b.known, i, 1))),
  };
}

function meet(a: Dim | undefined, b: Dim | undefined): Dim | undefined {
  if (a === 1 || a === b) return b;
  if (b === 1 || typeof a === 'number') return a;
  return typeof b === 'number' ? b : undefined;
}

/** Lengths that are computed on the way to a Reshape or Expand: the engine does not follow symbols through them. */
const integerArithmetic =
  (compute: (a: number, b: number) => number): Rule =>
  ([a, b]) => {
    const value = broadcast(a, b);
    if (!a.integers || !b.integers) return value;
    const integers = a.integers.map((x, i) => compute(x, b.integers![i % b.integers!.length]));
    return { ...value, integers, knownIntegers: integers.map(() => undefined) };
  };

const elementwise: Rule = ([a, b]) => broadcast(a, b);
const comparing: Rule = ([a, b]) => broadcast(a, b, 'bool');

const product: Rule = ([a, b], { transA, transB }) => {
  const batch = a.dims.length >= b.dims.length ? a : b;
  const rows = a.dims.length - (transA ? 1 : 2);
  const columns = b.dims.length - (transB ? 2 : 1);
  return {
    type: 'f32',
    dims: [...batch.dims.slice(0, -2), a.dims[rows], b.dims[columns]],
    known: [...batch.known.slice(0, -2), a.known[rows], b.known[columns]],
  };
};

const gemm: Rule = ([a, b], { transA, transB }) => ({
  type: 'f32',
  dims: [a.dims[transA ? 1 : 0], b.dims[transB ? 0 : 1]],
  known: [a.known[transA ? 1 : 0], b.known[transB ? 0 : 1]],
});

const reducing: Rule = ([x, axes]) => {
  const kept = <T>(list: readonly T[], one: T) =>
    list.map((dim, i) => (axes.integers!.includes(i) ? one : dim));
  return { type: x.type, dims: kept(x.dims, 1), known: kept<Dim | undefined>(x.known, 1) };
};

const reshape: Rule = ([x, shape]) => {
  const [dims, known] = [[...shape.integers!], [...shape.knownIntegers!]];
  const open = dims.indexOf(-1);
  if (open >= 0) {
    const rest = dims.reduce((count, length, i) => (i === open ? count : count * length), 1);
    dims[open] = x.dims.reduce((count, length) => count * length, 1) / rest;
    known[open] = x.known.every((dim) => typeof dim === 'number') ? dims[open] : undefined;
  }
  return { type: x.type, dims, known };
};

const concat: Rule = (inputs, { axis }) => {
  const [first] = inputs;
  const lengths = inputs.map(({ known }) => known[axis]);
  const total = lengths.every((length) => typeof length === 'number')
    ? lengths.reduce((sum: number, length) => sum + (length as number), 0)
    : undefined;
  const joined: OnnxValue = {
    type: first.type,
    dims: first.dims.map((dim, i) =>
      i === axis ? inputs.reduce((sum, { dims }) => sum + dims[axis], 0) : dim,
    ),
    known: first.known.map((dim, i) => (i === axis ? total : dim)),
  };
  if (!inputs.every(({ integers }) => integers)) return joined;
  return {
    ...joined,
    integers: inputs.flatMap(({ integers }) => integers!),
    knownIntegers: inputs.flatMap(({ knownIntegers }) => knownIntegers!),
  };
};

const slice: Rule = ([x, starts, ends, axes]) => {
  const [start, end, axis] = [starts, ends, axes].map(({ integers }) => integers![0]);
  const cut = <T>(list: readonly T[]) => list.map((dim, i) => (i === axis ? end - start : dim));
  return { type: x.type, dims: cut(x.dims) as number[], known: cut(x.known) };
};

const shape: Rule = ([x], { start = 0, end = x.dims.length }) => ({
  type: 'i64',
  dims: [end - start],
  known: [end - start],
  integers: x.dims.slice(start, end),
  knownIntegers: x.known.slice(start, end),
});

const gather: Rule = ([data, indices]) => ({
  type: data.type,
  dims: [...indices.dims, ...data.dims.slice(1)],
  known: [...indices.known, ...data.known.slice(1)],
});

const transpose: Rule = ([x], { perm }) => ({
  type: x.type,
  dims: perm.map((axis) => x.dims[axis]),
  known: perm.map((axis) => x.known[axis]),
});

const expand: Rule = ([x, lengths]) => {
  const asked = { type: x.type, dims: lengths.integers!, known: lengths.knownIntegers! };
  return broadcast(x, asked);
};

/** ONNX's code of a type that Cast goes to. */
const castTypes: Record<number, OnnxType> = {
  1: 'f32',
  6: 'i32',
  7: 'i64',
  9: 'bool',
  10: 'f16',
  16: 'bf16',
};

const rules: Record<string, Rule> = {
  Add: elementwise,
  Sub: elementwise,
  Mul: integerArithmetic((a, b) => a * b),
  Div: integerArithmetic((a, b) => Math.floor(a / b)),
  Max: elementwise,
  BitwiseOr: elementwise,
  BitwiseXor: elementwise,
  Equal: comparing,
  GreaterOrEqual: comparing,
  Where: ([condition, yes, no]) => broadcast(broadcast(condition, yes), no, yes.type),
  Exp: likeFirst,
  Log: likeFirst,
  Sqrt: likeFirst,
  Sigmoid: likeFirst,
  Erf: likeFirst,
  QuickGelu: likeFirst,
  Softmax: likeFirst,
  Clip: likeFirst,
  Identity: likeFirst,
  SimplifiedLayerNormalization: likeFirst,
  LayerNormalization: likeFirst,
  RotaryEmbedding: likeFirst,
  ScatterElements: likeFirst,
  Cast: ([x], { to }) => ({ type: castTypes[to], dims: x.dims, known: x.known }),
  MatMul: product,
  FusedMatMul: product,
  Gemm: gemm,
  ReduceSum: reducing,
  ReduceMax: reducing,
  Reshape: reshape,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Expand: expand,
  Gather: gather,
  Shape: shape,
  Size: () => ({ type: 'i64', dims: [], known: [] }),
  GatherElements: ([data, indices]) => ({ type: data.type, dims: indices.dims, known: indices.known }),
};
