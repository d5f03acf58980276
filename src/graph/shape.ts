/**
 * Shapes with symbolic lengths. A dimension is a number, or a symbol with a whole factor: 'T', '6*T'.
 * Equal lengths are equal strings, so shapes compare with ===.
 */
import { LorikeetError } from '../errors.ts';

export type Dim = number | string;
export type Shape = readonly Dim[];

/** Takes '6*T' apart; a number has no symbol. */
export function splitDim(dim: Dim): { factor: number; symbol?: string } {
  if (typeof dim === 'number') return { factor: dim };
  const star = dim.indexOf('*');
  return star < 0
    ? { factor: 1, symbol: dim }
    : { factor: Number(dim.slice(0, star)), symbol: dim.slice(star + 1) };
}

export function scaleDim(dim: Dim, by: number): Dim {
  const { factor, symbol } = splitDim(dim);
  const scaled = factor * by;
  if (!Number.isInteger(scaled)) throw shapeError(`length ${dim} expected a multiple of ${1 / by}`);
  return symbol === undefined ? scaled : scaled === 1 ? symbol : `${scaled}*${symbol}`;
}

/** The product of all lengths as a factor and its sorted symbols: two shapes hold as many elements iff equal. */
export function elementCount(shape: Shape): string {
  let factor = 1;
  const symbols: string[] = [];
  for (const dim of shape) {
    const part = splitDim(dim);
    factor *= part.factor;
    if (part.symbol) symbols.push(part.symbol);
  }
  return [factor, ...symbols.sort()].join('*');
}

/** The lengths that symbols stand for in one run. */
export type Lengths = Readonly<Record<string, number>>;

/** A dimension's length in a run. */
export function lengthOf(dim: Dim, lengths: Lengths): number {
  const { factor, symbol } = splitDim(dim);
  if (symbol === undefined) return factor;
  if (!Object.hasOwn(lengths, symbol)) throw shapeError(`length ${symbol} expected a number, got none`);
  return factor * lengths[symbol];
}

/** How many elements a shape holds in a run. */
export function elementsOf(shape: Shape, lengths: Lengths): number {
  return shape.reduce<number>((product, dim) => product * lengthOf(dim, lengths), 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** NumPy's broadcasting: align right, a length of 1 stretches. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw shapeError(`shapes expected to broadcast, got [${a}] and [${b}]`);
    return x === 1 ? y : x;
  });
}

/** The axes of `to` along which `from` was stretched, and those it lacks. */
export function stretchedAxes(from: Shape, to: Shape): number[] {
  const missing = to.length - from.length;
  return to.flatMap((dim, i) => (i < missing || from[i - missing] !== dim ? [i] : []));
}

export function shapeError(what: string): LorikeetError {
  return new LorikeetError('graph', {
    what,
    fix: 'This is a bug in how a graph was built; please report it.',
  });
}
