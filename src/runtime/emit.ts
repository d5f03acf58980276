/** Turns a graph into an ONNX model for one target. The order of the graph's nodes becomes the order of execution. */
import { dirname, join, relative, resolve, sep } from 'node:path';
import type {
  OnnxAttribute,
  OnnxInitializer,
  OnnxModel,
  OnnxNode,
  OnnxPort,
  OnnxType,
} from '../formats/onnx.ts';
import {
  type Graph,
  type Node,
  nodesOfKind,
  type OpKind,
  type Ops,
  type TensorType,
  type Value,
} from '../graph/ir.ts';
import { type Dim, type Shape, shapeError, splitDim } from '../graph/shape.ts';
import { type Target, targets } from './targets.ts';

/** What an emission rule may use. Names are ONNX value names. */
export interface Emitter {
  /** Adds an ONNX node with one output; the name of that output comes back. */
  op(op: string, inputs: string[], attributes?: Record<string, OnnxAttribute>, domain?: string): string;
  constant(type: OnnxType, dims: readonly number[], data: ArrayLike<number>): string;
  /** A length-known or symbolic shape as an i64 tensor, for Reshape and Expand. */
  shape(shape: Shape): string;
  /** A value's name, as f32 where it is stored in halves: the cast runs just before its use. */
  value(value: Value): string;
  /** A value's name in the type it is stored in. */
  stored(value: Value): { name: string; type: OnnxType };
  type(value: Value): TensorType;
}

export type EmissionRule<K extends OpKind> = (
  emit: Emitter,
  attributes: Ops[K],
  inputs: readonly Value[],
) => string;
/** Leaves become ports and initializers, not nodes. */
export type Leaf = 'input' | 'parameter';
export type EmissionTable = { [K in Exclude<OpKind, Leaf>]: EmissionRule<K> };

export interface Emitted {
  model: OnnxModel;
  /** The folder that the model's external data is relative to; undefined without frozen weights. */
  folder?: string;
}

export function emit(graph: Graph, target: Target): Emitted {
  const emission = new Emission(graph, targets[target].rules);
  graph.nodes.forEach((node, value) => {
    emission.add(node, value);
  });
  return emission.finish();
}

class Emission implements Emitter {
  readonly #graph: Graph;
  readonly #rules: EmissionTable;
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers: OnnxInitializer[] = [];
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  readonly #lengths = new Map<string, string>();
  readonly #folder: string | undefined;

  constructor(graph: Graph, rules: EmissionTable) {
    this.#graph = graph;
    this.#rules = rules;
    this.#folder = commonFolder(
      nodesOfKind(graph, 'parameter').flatMap((node) => node.attributes.location?.file ?? []),
    );
  }

  add<K extends OpKind>(node: Node<K>, value: Value): void {
    this.#names.set(value, this.#emit(node as Node));
    // The executor walks back from nodes that nobody reads, in order: this one takes it here, for no copy.
    if (node.settled) this.op('Size', [this.value(value)]);
    // At once, not at the end: the executor would put off whatever only a late node waits for.
    for (const output of this.#graph.outputs) {
      if (output.value !== value) continue;
      const inputs = [this.value(value)];
      this.#nodes.push({ op: 'Identity', domain: '', inputs, outputs: [output.name], attributes: {} });
    }
  }

  #emit(node: Node): string {
    if (node.op === 'input') return node.attributes.name;
    if (node.op === 'parameter') return this.#parameter(node);
    const rule = this.#rules[node.op] as EmissionRule<typeof node.op>;
    return rule(this, node.attributes as never, node.inputs);
  }

  #parameter({ attributes: { name, type, location } }: Node<'parameter'>): string {
    if (!location) return name;
    this.#initializers.push({
      name,
      type: storedType(location.dtype, name),
      dims: type.shape as number[],
      data: {
        file: relative(this.#folder!, location.file).split(sep).join('/'),
        offset: location.offset,
        length: location.byteLength,
      },
    });
    return name;
  }

  op(op: string, inputs: string[], attributes: Record<string, OnnxAttribute> = {}, domain = ''): string {
    const output = `v${this.#nodes.length}`;
    this.#nodes.push({ op, domain, inputs, outputs: [output], attributes });
    return output;
  }

  constant(type: OnnxType, dims: readonly number[], data: ArrayLike<number>): string {
    const bytes = encodeNumbers(type, data);
    const key = data.length <= 8 ? `${type} ${dims} ${Array.from(data)}` : undefined;
    const known = key && this.#constants.get(key);
    if (known) return known;
    const name = `c${this.#initializers.length}`;
    this.#initializers.push({ name, type, dims, data: bytes });
    if (key) this.#constants.set(key, name);
    return name;
  }

  shape(shape: Shape): string {
    const symbolic = shape.filter((dim) => typeof dim === 'string').length;
    if (symbolic === 0) return this.constant('i64', [shape.length], shape as number[]);
    return this.op(
      'Concat',
      shape.map((dim) => this.#length(dim)),
      { axis: 0 },
    );
  }

  /** One length as an i64 tensor [1]; a symbol is read off the first input that has it. */
  #length(dim: Dim): string {
    const { factor, symbol } = splitDim(dim);
    if (symbol === undefined) return this.constant('i64', [1], [factor]);
    const unit = this.#lengths.get(symbol) ?? this.#readSymbol(symbol);
    this.#lengths.set(symbol, unit);
    return factor === 1 ? unit : this.op('Mul', [unit, this.constant('i64', [1], [factor])]);
  }

  #readSymbol(symbol: string): string {
    for (const { attributes, type } of nodesOfKind(this.#graph, 'input')) {
      const axis = type.shape.findIndex((dim) => splitDim(dim).symbol === symbol);
      if (axis < 0) continue;
      const length = this.op('Shape', [attributes.name], { start: axis, end: axis + 1 });
      const { factor } = splitDim(type.shape[axis]);
      return factor === 1 ? length : this.op('Div', [length, this.constant('i64', [1], [factor])]);
    }
    throw shapeError(`length ${symbol} expected an input that has it`);
  }

  value(value: Value): string {
    const { name, type } = this.stored(value);
    return type === 'f16' || type === 'bf16' ? this.op('Cast', [name], { to: 1 }) : name;
  }

  stored(value: Value): { name: string; type: OnnxType } {
    const node = this.#graph.nodes[value];
    const location = node.op === 'parameter' ? node.attributes.location : undefined;
    const type = location ? storedType(location.dtype, location.file) : node.type.dtype;
    return { name: this.#names.get(value)!, type };
  }

  type = (value: Value): TensorType => this.#graph.nodes[value].type;

  finish(): Emitted {
    const fed = this.#graph.nodes.filter(
      (node) => node.op === 'input' || (node.op === 'parameter' && !node.attributes.location),
    ) as Node<Leaf>[];
    return {
      model: {
        // ONNX Runtime's executor takes the last node of the file first: written backwards, the file runs in our order.
        nodes: this.#nodes.toReversed(),
        initializers: this.#initializers,
        inputs: fed.map((node) => port(node.attributes.name, node.type)),
        outputs: this.#graph.outputs.map(({ name, value }) => port(name, this.type(value))),
      },
      folder: this.#folder,
    };
  }
}

const port = (name: string, { dtype, shape }: TensorType): OnnxPort => ({ name, type: dtype, dims: shape });

function storedType(dtype: string, tensor: string): OnnxType {
  if (dtype === 'f32' || dtype === 'f16' || dtype === 'bf16') return dtype;
  throw shapeError(`weight ${tensor} expected f32, f16 or bf16, got ${dtype}`);
}

function encodeNumbers(type: OnnxType, data: ArrayLike<number>): Uint8Array {
  const array =
    type === 'f32'
      ? Float32Array.from(data)
      : type === 'i32'
        ? Int32Array.from(data)
        : BigInt64Array.from(Array.from(data, (item) => BigInt(item)));
  return new Uint8Array(array.buffer);
}

/** The deepest folder that holds every file: external data may not leave the folder it is relative to. */
function commonFolder(files: readonly string[]): string | undefined {
  if (files.length === 0) return undefined;
  const parts = files.map((file) => dirname(resolve(file)).split(sep));
  let depth = 0;
  while (depth < parts[0].length && parts.every((path) => path[depth] === parts[0][depth])) depth++;
  return join(sep, ...parts[0].slice(0, depth));
}
