/** What a graph computes and moves in one run, counted from its nodes. */
import { byteWidth } from '../dtype.ts';
import type { Graph, Node, OpKind } from './ir.ts';
import { type Lengths, type Shape, shapeError, splitDim } from './shape.ts';

export interface Work {
  /** Operations of the matrix products, two for each multiply-add. */
  flop(lengths: Lengths): number;
  /** Bytes that all other nodes read and write, with those of halves that are cast before each use. */
  moved(lengths: Lengths): number;
  /** Nodes that a kernel runs for. */
  nodes: number;
}

/** Products of symbols, such as `T*T`, and what each counts: runs of other lengths are then sums of a few terms. */
class Terms {
  readonly #terms = new Map<string, { symbols: string[]; factor: number }>();

  add(shape: Shape, factor: number): void {
    const parts = shape.map(splitDim);
    const symbols = parts.flatMap(({ symbol }) => symbol ?? []).sort();
    const key = symbols.join('*');
    const term = this.#terms.get(key) ?? { symbols, factor: 0 };
    term.factor += parts.reduce((product, part) => product * part.factor, factor);
    this.#terms.set(key, term);
  }

  at(lengths: Lengths): number {
    let sum = 0;
    for (const { symbols, factor } of this.#terms.values())
      sum += symbols.reduce((product, symbol) => product * known(lengths, symbol), factor);
    return sum;
  }
}

function known(lengths: Lengths, symbol: string): number {
  if (Object.hasOwn(lengths, symbol)) return lengths[symbol];
  throw shapeError(`length ${symbol} expected a number, got none`);
}

/** Leaves, and views of what is there. */
const idle = new Set<OpKind>(['input', 'parameter', 'constant', 'reshape']);
const f32 = byteWidth.f32;

export function workOf({ nodes }: Graph): Work {
  const [flop, moved] = [new Terms(), new Terms()];
  let running = 0;
  for (const node of nodes) {
    if (idle.has(node.op)) continue;
    running++;
    if (node.op === 'matmul') flop.add([...node.type.shape, innerLength(node, nodes)], 2);
    else moved.add(node.type.shape, f32);
    for (const input of node.inputs) {
      const source = nodes[input];
      // Of a table a few rows are read, as many as come out.
      if (node.op === 'gather') moved.add(node.type.shape, f32 / node.inputs.length);
      else if (node.op !== 'matmul') moved.add(source.type.shape, f32);
      if (node.op !== 'gather') addCast(moved, source);
    }
  }
  return { flop: (lengths) => flop.at(lengths), moved: (lengths) => moved.at(lengths), nodes: running };
}

/** [..., M, K] x [..., K, N]: K. */
function innerLength({ inputs, attributes }: Node<'matmul'>, nodes: readonly Node[]) {
  return nodes[inputs[0]].type.shape.at(attributes.transA ? -2 : -1)!;
}

function addCast(moved: Terms, source: Node): void {
  const location = source.op === 'parameter' ? source.attributes.location : undefined;
  if (location && location.dtype !== 'f32') moved.add(source.type.shape, byteWidth[location.dtype] + f32);
}
