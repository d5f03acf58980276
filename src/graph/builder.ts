/** Builds a graph node by node; each method is one op. Types are inferred as nodes are added. */
import type { TensorLocation } from '../formats/safetensors.ts';
import type { Graph, Node, OpKind, Ops, TensorType, Value } from './ir.ts';
import { type Dim, type Shape, sameShape } from './shape.ts';
import { inferType } from './shape-rules.ts';

export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly #outputs: Graph['outputs'][number][] = [];
  readonly #leaves = new Map<string, Value>();
  #region: number | undefined;
  #regions = 0;

  node<K extends OpKind>(op: K, attributes: Ops[K], inputs: readonly Value[]): Value {
    return this.#add(op, attributes, inputs, this.#region);
  }

  #add<K extends OpKind>(op: K, attributes: Ops[K], inputs: readonly Value[], region?: number): Value {
    const type = inferType(
      op,
      attributes,
      inputs.map((value) => this.nodes[value].type),
    );
    // The cast says what the loop over K cannot: op and attributes belong together.
    this.nodes.push({ op, attributes, inputs, type, region } as Node);
    return this.nodes.length - 1;
  }

  /** Values made inside `build` are computed again in the backward pass; what leaves it is kept. */
  recomputed<T>(build: () => T): T {
    this.#region = this.#regions++;
    try {
      return build();
    } finally {
      this.#region = undefined;
    }
  }

  type = (value: Value): TensorType => this.nodes[value].type;
  shape = (value: Value): Shape => this.nodes[value].type.shape;

  output(name: string, value: Value): void {
    this.#outputs.push({ name, value });
  }

  finish(): Graph {
    return { nodes: this.nodes, outputs: this.#outputs };
  }

  /** Has a value computed where it stands, so that what it reads need not wait in memory for a later reader. */
  settle(value: Value): Value {
    this.nodes[value].settled = true;
    return value;
  }

  /** Leaves stand outside every region: there is nothing to compute again. */
  #leaf(key: string, make: () => Value): Value {
    const known = this.#leaves.get(key) ?? make();
    this.#leaves.set(key, known);
    return known;
  }

  input = (name: string, type: TensorType): Value =>
    this.#leaf(`input ${name}`, () => this.#add('input', { name, type }, []));
  parameter = (name: string, shape: Shape, location?: TensorLocation): Value =>
    this.#leaf(`parameter ${name}`, () =>
      this.#add('parameter', { name, type: { shape, dtype: 'f32' }, location }, []),
    );
  constant = (type: TensorType, data: Float32Array | Int32Array): Value =>
    this.#add('constant', { type, data }, []);

  matmul = (a: Value, b: Value, { transA = false, transB = false } = {}): Value =>
    this.node('matmul', { transA, transB }, [a, b]);
  add = (a: Value, b: Value): Value => this.node('add', {}, [a, b]);
  subtract = (a: Value, b: Value): Value => this.node('subtract', {}, [a, b]);
  multiply = (a: Value, b: Value): Value => this.node('multiply', {}, [a, b]);
  divide = (a: Value, b: Value): Value => this.node('divide', {}, [a, b]);
  maximum = (a: Value, b: Value): Value => this.node('maximum', {}, [a, b]);
  scale = (x: Value, factor: number): Value => (factor === 1 ? x : this.node('scale', { factor }, [x]));
  shift = (x: Value, term: number): Value => this.node('shift', { term }, [x]);
  exp = (x: Value): Value => this.node('exp', {}, [x]);
  log = (x: Value): Value => this.node('log', {}, [x]);
  sqrt = (x: Value): Value => this.node('sqrt', {}, [x]);
  sigmoid = (x: Value): Value => this.node('sigmoid', {}, [x]);
  erf = (x: Value): Value => this.node('erf', {}, [x]);
  sigmoidGate = (x: Value, alpha: number): Value => this.node('sigmoidGate', { alpha }, [x]);
  equal = (a: Value, b: Value): Value => this.node('equal', {}, [a, b]);
  softmax = (x: Value): Value => this.node('softmax', {}, [x]);
  reduceSum = (x: Value, axes: readonly number[]): Value => this.node('reduceSum', { axes }, [x]);
  reduceMax = (x: Value, axes: readonly number[]): Value => this.node('reduceMax', { axes }, [x]);
  broadcastTo = (x: Value, shape: Shape): Value =>
    sameShape(this.shape(x), shape) ? x : this.node('broadcastTo', { shape }, [x]);
  reshape = (x: Value, shape: Shape): Value =>
    sameShape(this.shape(x), shape) ? x : this.node('reshape', { shape }, [x]);
  transpose = (x: Value, permutation: readonly number[]): Value =>
    this.node('transpose', { permutation }, [x]);
  concat = (values: readonly Value[], axis: number, length?: Dim): Value =>
    values.length === 1 ? values[0] : this.node('concat', length ? { axis, length } : { axis }, values);
  slice = (x: Value, axis: number, start: number, end: number): Value =>
    this.node('slice', { axis, start, end }, [x]);
  gather = (data: Value, indices: Value): Value => this.node('gather', {}, [data, indices]);
  scatterAdd = (indices: Value, updates: Value, rows: Dim): Value =>
    this.node('scatterAdd', { rows }, [indices, updates]);
  pickColumn = (x: Value, columns: Value, start: number): Value =>
    this.node('pickColumn', { start }, [x, columns]);
  fillColumn = (x: Value, columns: Value, values: Value, start: number): Value =>
    this.node('fillColumn', { start }, [x, columns, values]);
  read = (x: Value): Value => this.node('read', {}, [x]);
  rmsNorm = (x: Value, weight: Value, epsilon: number): Value =>
    this.node('rmsNorm', { epsilon }, [x, weight]);
  layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
    this.node('layerNorm', { epsilon }, [x, weight, bias]);
  rotary = (x: Value, cos: Value, sin: Value, heads: number): Value =>
    this.node('rotary', { heads }, [x, cos, sin]);
  dropout = (x: Value, keys: Value, rate: number, salt: number): Value =>
    this.node('dropout', { rate, salt }, [x, keys]);
}
