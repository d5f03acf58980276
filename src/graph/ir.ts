/**
 * The intermediate representation: a graph is a list of plain nodes in the order in which they shall run.
 * A node has one value, named by the node's index. Shapes and types are known at every node.
 */
import type { TensorLocation } from '../formats/safetensors.ts';
import type { Dim, Shape } from './shape.ts';

/** Element types inside a graph. Stored f16 and bf16 weights are read as f32. */
export type ScalarType = 'f32' | 'i32';

export interface TensorType {
  shape: Shape;
  dtype: ScalarType;
}

/** A graph's value: the index of the node that computes it. */
export type Value = number;

/** Every op and its attributes. The tables of shape, gradient, emission and meaning range over these keys. */
export interface Ops {
  /** Fed at every run: [shape]. */
  input: { name: string; type: TensorType };
  /** A weight. With a location it is frozen and mapped from the file; without, it is trainable and fed. */
  parameter: { name: string; type: TensorType; location?: TensorLocation };
  constant: { type: TensorType; data: Float32Array | Int32Array };
  /** [..., M, K] x [..., K, N]; either side may stand transposed in its last two axes. A 2-D right side is shared. */
  matmul: { transA: boolean; transB: boolean };
  add: Empty;
  subtract: Empty;
  multiply: Empty;
  divide: Empty;
  maximum: Empty;
  /** x * factor */
  scale: { factor: number };
  /** x + term */
  shift: { term: number };
  exp: Empty;
  log: Empty;
  sqrt: Empty;
  sigmoid: Empty;
  erf: Empty;
  /** x * sigmoid(alpha x): alpha 1 is SiLU, 1.702 the quick GELU of the vision tower. */
  sigmoidGate: { alpha: number };
  /** 1 where equal, 0 elsewhere, as f32. Broadcasts. */
  equal: Empty;
  /** Over the last axis. */
  softmax: Empty;
  /** Axes stay with length 1. */
  reduceSum: { axes: readonly number[] };
  reduceMax: { axes: readonly number[] };
  broadcastTo: { shape: Shape };
  reshape: { shape: Shape };
  transpose: { permutation: readonly number[] };
  /** Lengths that are symbols along the axis make `length` together, which whoever feeds them answers for. */
  concat: { axis: number; length?: Dim };
  /** [start, end) along one axis of numeric length. */
  slice: { axis: number; start: number; end: number };
  /** Rows of `data` [R, ...] at `indices` [N] (i32): [N, ...]. */
  gather: Empty;
  /** The rows of `updates` [N, ...] added up at `indices` [N] into zeros [rows, ...]. */
  scatterAdd: { rows: Shape[number] };
  /** x [N, V], columns [N] (i32): [N, 1] the element of each row at columns - start, 0 where the row has none there. */
  pickColumn: { start: number };
  /** x [N, V] with `values` ([N, 1] or [1, 1]) put where pickColumn reads. Inputs x, columns, values. */
  fillColumn: { start: number };
  /** The value itself. A weight stored in halves is cast once for all who use it, not once for each. */
  read: Empty;
  /** x / sqrt(mean(x^2) + eps) * weight over the last axis (Zhang and Sennrich 2019). */
  rmsNorm: { epsilon: number };
  /** (x - mean) / sqrt(variance + eps) * weight + bias over the last axis (Ba et al. 2016). */
  layerNorm: { epsilon: number };
  /** Rotates the halves of each head of x [T, H D] by cos, sin [T, D/2] (Su et al. 2021, the "neox" layout). */
  rotary: { heads: number };
  /**
   * Inverted dropout of x [T, D] by a hash of the row's key (keys [T], i32), the column and the salt:
   * the same keys give the same mask, so backward and recompute need none stored.
   */
  dropout: { rate: number; salt: number };
}

export type Empty = Record<never, never>;
export type OpKind = keyof Ops;

export type Node<K extends OpKind = OpKind> = {
  [P in K]: {
    op: P;
    attributes: Ops[P];
    inputs: readonly Value[];
    type: TensorType;
    /** The recompute region: its inner values are computed again in the backward pass, not kept. */
    region?: number;
    /** Runs before everything that stands after it; an engine may put off any other node until it is read. */
    settled?: boolean;
  };
}[K];

export interface Graph {
  nodes: readonly Node[];
  outputs: readonly { name: string; value: Value }[];
}

/** The nodes of one op, in order. */
export function nodesOfKind<K extends OpKind>(graph: Graph, op: K): Node<K>[] {
  return graph.nodes.filter((node) => node.op === op) as Node<K>[];
}
