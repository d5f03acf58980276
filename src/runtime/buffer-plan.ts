/**
 * Which buffers a run takes and gives back, node by node, as ONNX Runtime 1.30 plans it for sequential execution
 * (`allocation_planner.cc`): a value takes over its input's buffer where that is read for the last time and the kernel
 * may write in place, or else a buffer of the same size that is free; a buffer that will be taken over once more is
 * held until then.
 */
import type { OnnxModel, OnnxNode } from '../formats/onnx.ts';
import { bytesOfElement, type OnnxValue } from './onnx-types.ts';

/** Names of buffers, each that of the first value in it. */
export interface BufferStep {
  takes: string[];
  gives: string[];
}

/** Ops whose kernels may write over an input, and over which. */
const inPlace: Record<string, readonly number[]> = {
  Add: [0, 1],
  Sub: [0, 1],
  Mul: [0, 1],
  Div: [0, 1],
  Exp: [0],
  Log: [0],
  Sqrt: [0],
  Sigmoid: [0],
  Softmax: [0],
  Cast: [0],
  ScatterElements: [0],
};

/** One step for each node, in the order in which they run. */
export function planBuffers(
  model: OnnxModel,
  types: ReadonlyMap<string, OnnxValue>,
  order: readonly OnnxNode[],
): BufferStep[] {
  const planner = new Planner(model, types);
  order.forEach((node, step) => {
    planner.add(node, step);
  });
  return planner.finish();
}

class Planner {
  readonly #types: ReadonlyMap<string, OnnxValue>;
  readonly #outputs: Set<string>;
  /** Fed, mapped or handed out: nothing is written over them. */
  readonly #fixed: Set<string>;
  readonly #readers = new Map<string, number>();
  /** Reads that are still to come, by buffer. */
  readonly #left: Map<string, number>;
  readonly #bufferOf = new Map<string, string>();
  /** Free buffers by what is known of their size, the latest on top. */
  readonly #free = new Map<string, string[]>();
  readonly #freedAt = new Map<string, number>();
  readonly #steps: BufferStep[] = [];

  constructor(model: OnnxModel, types: ReadonlyMap<string, OnnxValue>) {
    this.#types = types;
    this.#outputs = new Set(model.outputs.map(({ name }) => name));
    this.#fixed = new Set([...model.inputs, ...model.initializers].map(({ name }) => name));
    for (const { inputs } of model.nodes)
      for (const name of inputs) this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    this.#left = new Map(this.#readers);
    for (const name of [...this.#fixed, ...this.#outputs]) this.#left.set(name, Number.POSITIVE_INFINITY);
  }

  add({ op, inputs, outputs: [output] }: OnnxNode, step: number): void {
    this.#steps.push({ takes: [], gives: [] });
    const taken = this.#outputs.has(output) ? undefined : this.#sharedWith(op, inputs, output);
    if (taken === undefined) this.#steps[step].takes.push(output);
    else this.#share(output, taken);
    for (const input of inputs) {
      const buffer = this.#buffer(input);
      const left = this.#left.get(buffer)! - 1;
      this.#left.set(buffer, left);
      if (left === 0) this.#release(buffer, step);
    }
  }

  finish(): BufferStep[] {
    for (const [buffer, step] of this.#freedAt) this.#steps[step].gives.push(buffer);
    return this.#steps;
  }

  #buffer = (name: string): string => this.#bufferOf.get(name) ?? name;

  #sharedWith(op: string, inputs: string[], output: string): string | undefined {
    if (op === 'Reshape') return this.#buffer(inputs[0]);
    const size = this.#sizeKnown(output);
    if (size === undefined) return undefined;
    const over = (inPlace[op] ?? []).find(
      (i) => this.#left.get(this.#buffer(inputs[i])) === 1 && this.#sizeKnown(inputs[i]) === size,
    );
    if (over !== undefined) return this.#buffer(inputs[over]);
    const free = this.#free.get(size)?.pop();
    if (free !== undefined) this.#freedAt.delete(free);
    return free;
  }

  #share(output: string, buffer: string): void {
    this.#bufferOf.set(output, buffer);
    this.#left.set(buffer, this.#left.get(buffer)! + (this.#readers.get(output) ?? 0));
  }

  #release(buffer: string, step: number): void {
    this.#freedAt.set(buffer, step);
    const size = this.#sizeKnown(buffer);
    if (size === undefined) return;
    const free = this.#free.get(size) ?? [];
    free.push(buffer);
    this.#free.set(size, free);
  }

  /** Equal for buffers that the engine takes for equally large; nothing where a length is computed in the run. */
  #sizeKnown(name: string): string | undefined {
    const value = this.#types.get(name)!;
    if (value.known.includes(undefined)) return undefined;
    return `${bytesOfElement(value)} ${value.known.join()}`;
  }
}
