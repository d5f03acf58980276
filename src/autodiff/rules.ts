/**
 * The derivative of every op: one total table. A rule gets the gradient of the node's value and returns the
 * gradient of each input (undefined where an input cannot have one), as further graph.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { OpKind, Ops, Value } from '../graph/ir.ts';
import { type Shape, scaleDim, shapeError, splitDim, stretchedAxes } from '../graph/shape.ts';

export interface GradientContext<K extends OpKind> {
  graph: GraphBuilder;
  attributes: Ops[K];
  /** The gradient of the node's value, of the same shape. */
  gradient: Value;
  /** The forward values, recomputed where they were not kept. Ask only for those the rule needs. */
  input(index: number): Value;
  output(): Value;
  /** The shape of an input, free of charge. */
  shape(index: number): Shape;
  /** Whether anything trainable stands behind an input: skip the work where nothing does. */
  wanted(index: number): boolean;
}

type GradientRule<K extends OpKind> = (context: GradientContext<K>) => (Value | undefined)[];

/** Sums a broadcast gradient back to the shape of the input it came from. */
function unbroadcast(graph: GraphBuilder, gradient: Value, shape: Shape): Value {
  const axes = stretchedAxes(shape, graph.shape(gradient));
  return axes.length === 0 ? gradient : graph.reshape(graph.reduceSum(gradient, axes), shape);
}

const none = () => [];

/** The gradients of a broadcasting op of two inputs, each computed only where it is wanted. */
function pair<K extends OpKind>(context: GradientContext<K>, left: () => Value, right: () => Value) {
  const { graph, wanted, shape } = context;
  return [left, right].map((make, i) => (wanted(i) ? unbroadcast(graph, make(), shape(i)) : undefined));
}

/** d = gradient * make(x): a function of one input, element by element. */
function chain<K extends OpKind>(derivative: (graph: GraphBuilder, context: GradientContext<K>) => Value) {
  return (context: GradientContext<K>) => [
    context.graph.multiply(context.gradient, derivative(context.graph, context)),
  ];
}

const zero = (graph: GraphBuilder) => graph.constant({ shape: [], dtype: 'f32' }, new Float32Array(1));

const last = (shape: Shape) => [shape.length - 1];

/** The mean over the last axis, whose length is a number. */
const meanOverLast = (graph: GraphBuilder, x: Value) =>
  graph.scale(graph.reduceSum(x, last(graph.shape(x))), 1 / Number(graph.shape(x).at(-1)));

/** Gradients of a norm's weight and bias: sums over all rows. */
const sumRows = (graph: GraphBuilder, x: Value) => unbroadcast(graph, x, [graph.shape(x).at(-1)!]);

/**
 * For y = n * w with n = (x - m) / s: dx = (g - mean(g) - n mean(g n)) / s with g = dy * w.
 * RMSNorm has no mean to subtract.
 */
function normGradient<K extends 'rmsNorm' | 'layerNorm'>(context: GradientContext<K>, centred: boolean) {
  const { graph, gradient, attributes, wanted } = context;
  const x = context.input(0);
  const deviation = centred ? graph.subtract(x, meanOverLast(graph, x)) : x;
  const square = meanOverLast(graph, graph.multiply(deviation, deviation));
  const spread = graph.sqrt(graph.shift(square, attributes.epsilon));
  const normal = graph.divide(deviation, spread);
  const toInput = () => {
    const g = graph.multiply(gradient, context.input(1));
    const along = graph.multiply(normal, meanOverLast(graph, graph.multiply(g, normal)));
    const centredGradient = centred ? graph.subtract(g, meanOverLast(graph, g)) : g;
    return graph.divide(graph.subtract(centredGradient, along), spread);
  };
  return [
    wanted(0) ? toInput() : undefined,
    wanted(1) ? sumRows(graph, graph.multiply(gradient, normal)) : undefined,
    ...(centred ? [wanted(2) ? sumRows(graph, gradient) : undefined] : []),
  ];
}

/** Gradients of C = op(A) op(B) where each operand may stand transposed. */
function matmulGradient({ graph, gradient, attributes, input, shape, wanted }: GradientContext<'matmul'>) {
  const { transA, transB } = attributes;
  const toLeft = () =>
    transA
      ? graph.matmul(input(1), gradient, { transA: transB, transB: true })
      : graph.matmul(gradient, input(1), { transB: !transB });
  const toRight = () => {
    const batched = shape(0).length > 2 && shape(1).length === 2;
    const [a, dC] = batched ? [rows(graph, input(0)), rows(graph, gradient)] : [input(0), gradient];
    return transB
      ? graph.matmul(dC, a, { transA: true, transB: transA })
      : graph.matmul(a, dC, { transA: !transA });
  };
  return [wanted(0) ? toLeft() : undefined, wanted(1) ? toRight() : undefined];
}

/** [..., D] as a matrix [rows, D]: a shared right side sees all batches as more rows. */
function rows(graph: GraphBuilder, x: Value): Value {
  const shape = graph.shape(x);
  const known = shape.slice(0, -1).reduce<number>((product, dim) => product * splitDim(dim).factor, 1);
  const symbols = shape.slice(0, -1).flatMap((dim) => splitDim(dim).symbol ?? []);
  return graph.reshape(x, [symbols.length > 0 ? scaleDim(symbols[0], known) : known, shape.at(-1)!]);
}

export const gradientRules: { [K in OpKind]: GradientRule<K> } = {
  input: none,
  parameter: none,
  constant: none,
  equal: none,
  matmul: matmulGradient,
  add: (c) =>
    pair(
      c,
      () => c.gradient,
      () => c.gradient,
    ),
  subtract: (c) =>
    pair(
      c,
      () => c.gradient,
      () => c.graph.scale(c.gradient, -1),
    ),
  multiply: (c) =>
    pair(
      c,
      () => c.graph.multiply(c.gradient, c.input(1)),
      () => c.graph.multiply(c.gradient, c.input(0)),
    ),
  divide: (c) =>
    pair(
      c,
      () => c.graph.divide(c.gradient, c.input(1)),
      () => c.graph.scale(c.graph.divide(c.graph.multiply(c.gradient, c.output()), c.input(1)), -1),
    ),
  // Where both are equal the left one takes the gradient, as it gives the value.
  maximum: (c) => {
    const left = c.graph.equal(c.output(), c.input(0));
    return pair(
      c,
      () => c.graph.multiply(c.gradient, left),
      () => c.graph.multiply(c.gradient, c.graph.shift(c.graph.scale(left, -1), 1)),
    );
  },
  scale: ({ graph, gradient, attributes }) => [graph.scale(gradient, attributes.factor)],
  shift: ({ gradient }) => [gradient],
  exp: chain((_, c) => c.output()),
  log: ({ graph, gradient, input }) => [graph.divide(gradient, input(0))],
  sqrt: ({ graph, gradient, output }) => [graph.scale(graph.divide(gradient, output()), 0.5)],
  // s' = s (1 - s)
  sigmoid: chain((graph, c) => graph.multiply(c.output(), graph.shift(graph.scale(c.output(), -1), 1))),
  // erf' = 2 / sqrt(pi) exp(-x^2)
  erf: chain((graph, c) => {
    const square = graph.multiply(c.input(0), c.input(0));
    return graph.scale(graph.exp(graph.scale(square, -1)), 2 / Math.sqrt(Math.PI));
  }),
  // (x s(ax))' = s (1 + a (x - y)), with y = x s
  sigmoidGate: chain((graph, c) => {
    const { alpha } = c.attributes;
    const gate = graph.sigmoid(graph.scale(c.input(0), alpha));
    const rest = graph.scale(graph.subtract(c.input(0), c.output()), alpha);
    return graph.multiply(gate, graph.shift(rest, 1));
  }),
  // dx = y (g - sum(g y))
  softmax: ({ graph, gradient, output }) => {
    const along = graph.reduceSum(graph.multiply(gradient, output()), last(graph.shape(gradient)));
    return [graph.multiply(output(), graph.subtract(gradient, along))];
  },
  reduceSum: ({ graph, gradient, shape }) => [graph.broadcastTo(gradient, shape(0))],
  // Equal largest elements share the gradient.
  reduceMax: ({ graph, gradient, attributes, input, output }) => {
    const largest = graph.equal(input(0), output());
    return [graph.multiply(largest, graph.divide(gradient, graph.reduceSum(largest, attributes.axes)))];
  },
  broadcastTo: ({ graph, gradient, shape }) => [unbroadcast(graph, gradient, shape(0))],
  reshape: ({ graph, gradient, shape }) => [graph.reshape(gradient, shape(0))],
  transpose: ({ graph, gradient, attributes: { permutation } }) => [
    graph.transpose(
      gradient,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  concat: ({ graph, gradient, attributes: { axis, length }, shape, wanted }) => {
    if (length !== undefined)
      throw shapeError('concat of symbolic lengths has no gradient: no pass trains through a cache');
    const gradients: (Value | undefined)[] = [];
    for (let start = 0, i = 0; start < Number(graph.shape(gradient)[axis]); i++) {
      const end = start + Number(shape(i)[axis]);
      gradients.push(wanted(i) ? graph.slice(gradient, axis, start, end) : undefined);
      start = end;
    }
    return gradients;
  },
  slice: ({ graph, gradient, attributes: { axis, start, end }, shape }) => {
    const padding = (length: number) => {
      const block = shape(0).map((dim, i) => (i === axis ? length : dim));
      return length > 0 ? [graph.broadcastTo(zero(graph), block)] : [];
    };
    const rest = Number(shape(0)[axis]) - end;
    return [graph.concat([...padding(start), gradient, ...padding(rest)], axis)];
  },
  gather: ({ graph, gradient, input, shape }) => [graph.scatterAdd(input(1), gradient, shape(0)[0])],
  scatterAdd: ({ graph, gradient, input }) => [undefined, graph.gather(gradient, input(0))],
  pickColumn: ({ graph, gradient, attributes: { start }, input, shape }) => {
    const zeros = graph.broadcastTo(zero(graph), shape(0));
    return [graph.fillColumn(zeros, input(1), gradient, start)];
  },
  fillColumn: ({ graph, gradient, attributes: { start }, input, shape, wanted }) => [
    wanted(0) ? graph.fillColumn(gradient, input(1), graph.reshape(zero(graph), [1, 1]), start) : undefined,
    undefined,
    wanted(2) ? unbroadcast(graph, graph.pickColumn(gradient, input(1), start), shape(2)) : undefined,
  ],
  read: ({ gradient }) => [gradient],
  rmsNorm: (c) => normGradient(c, false),
  layerNorm: (c) => normGradient(c, true),
  // A rotation's transpose is the rotation back.
  rotary: ({ graph, gradient, attributes, input }) => [
    graph.rotary(gradient, input(1), graph.scale(input(2), -1), attributes.heads),
  ],
  dropout: ({ graph, gradient, attributes, input }) => [
    graph.dropout(gradient, input(1), attributes.rate, attributes.salt),
  ],
};
