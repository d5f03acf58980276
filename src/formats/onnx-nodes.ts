import { type OnnxAttribute, type OnnxInitializer, type OnnxNode, onnxType } from './onnx.ts';

/** Nodes written by hand, with their constants; every name it makes begins with `prefix`. */
export class OnnxNodes {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Adds a node with one output, whose name comes back: `output`, or one of its own. */
  op(
    op: string,
    inputs: string[],
    attributes: Record<string, OnnxAttribute> = {},
    output = `${this.#prefix}${this.nodes.length}`,
  ): string {
    this.nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
    return output;
  }

  f32(dims: readonly number[], values: ArrayLike<number>): string {
    return this.#constant('f32', dims, new Uint8Array(Float32Array.from(values).buffer));
  }

  i64(dims: readonly number[], values: readonly number[]): string {
    return this.#constant('i64', dims, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  cast(value: string, type: keyof typeof onnxType): string {
    return this.op('Cast', [value], { to: onnxType[type] });
  }

  /** A length of a tensor, as an i64 without axes. */
  length(value: string, axis: number): string {
    return this.op('Squeeze', [this.op('Shape', [value], { start: axis, end: axis + 1 })]);
  }

  #constant(type: 'f32' | 'i64', dims: readonly number[], data: Uint8Array): string {
    const name = `${this.#prefix}c${this.initializers.length}`;
    this.initializers.push({ name, type, dims, data });
    return name;
  }
}
