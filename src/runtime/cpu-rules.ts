/** What each op becomes on ONNX Runtime's CPU kernels: one total table. */
import { dropoutColumns, dropoutFactors, dropoutThreshold } from '../graph/dropout.ts';
import type { Value } from '../graph/ir.ts';
import type { Shape } from '../graph/shape.ts';
import type { EmissionRule, EmissionTable, Emitter } from './emit.ts';

const microsoft = 'com.microsoft';

const scalar = (emit: Emitter, value: number) => emit.constant('f32', [], [value]);
const axesInput = (emit: Emitter, axes: readonly number[]) => emit.constant('i64', [axes.length], axes);
const names = (emit: Emitter, inputs: readonly Value[]) => inputs.map((value) => emit.value(value));

/** An ONNX op of the same meaning, without attributes. */
const plain =
  (op: string) =>
  (emit: Emitter, _: unknown, inputs: readonly Value[]): string =>
    emit.op(op, names(emit, inputs));

const reducing =
  (op: string) =>
  (emit: Emitter, { axes }: { axes: readonly number[] }, [x]: readonly Value[]): string =>
    emit.op(op, [emit.value(x), axesInput(emit, axes)], { keepdims: 1 });

/** One unknown length is what Reshape infers by itself; several are computed. */
const reshape = (emit: Emitter, name: string, shape: Shape) => {
  const symbolic = shape.filter((dim) => typeof dim === 'string').length;
  const lengths = shape.map((dim) => (typeof dim === 'string' ? -1 : dim));
  return emit.op('Reshape', [
    name,
    symbolic > 1 ? emit.shape(shape) : emit.constant('i64', [shape.length], lengths),
  ]);
};

/** The mask is integer arithmetic that wraps at 32 bits; `src/graph/dropout.ts` states it once in plain TypeScript. */
const dropout: EmissionRule<'dropout'> = (emit, { rate, salt }, [x, keys]) => {
  const columns = Number(emit.type(x).shape[1]);
  const column = (round: 0 | 1) => emit.constant('i32', [columns], dropoutColumns(salt, columns, round));
  const integer = (value: number) => emit.constant('i32', [], [value | 0]);
  const key = emit.op('Reshape', [emit.value(keys), emit.constant('i64', [2], [-1, 1])]);
  const odd = emit.op('BitwiseOr', [emit.op('Mul', [key, integer(dropoutFactors.row)]), integer(1)]);
  const first = emit.op('Mul', [emit.op('BitwiseXor', [key, column(0)]), integer(dropoutFactors.element)]);
  const second = emit.op('Mul', [emit.op('BitwiseXor', [first, column(1)]), odd]);
  const kept = emit.op('GreaterOrEqual', [second, integer(dropoutThreshold(rate))]);
  return emit.op('Mul', [
    emit.value(x),
    emit.op('Where', [kept, scalar(emit, 1 / (1 - rate)), scalar(emit, 0)]),
  ]);
};

const rotary: EmissionRule<'rotary'> = (emit, { heads }, [x, cos, sin]) => {
  const [tokens, width] = emit.type(x).shape;
  const first = emit.constant('i64', [1], [0]); // row t of cos and sin belongs to token t
  const batch = reshape(emit, emit.value(x), [1, tokens, width]);
  const inputs = [batch, first, emit.value(cos), emit.value(sin)];
  const turned = emit.op('RotaryEmbedding', inputs, { interleaved: 0, num_heads: heads }, microsoft);
  return reshape(emit, turned, [tokens, width]);
};

/** [N, 1] each: the columns as places in this row, whether they are any, and what stands there. */
const pickColumn = (emit: Emitter, start: number, x: Value, columns: Value) => {
  const integer = (value: number) => emit.constant('i32', [], [value]);
  const column = emit.op('Reshape', [emit.value(columns), emit.constant('i64', [2], [-1, 1])]);
  const place = emit.op('Sub', [column, integer(start)]);
  const at = emit.op('Clip', [place, integer(0), integer(Number(emit.type(x).shape[1]) - 1)]);
  const inside = emit.op('Equal', [place, at]);
  return { at, inside, picked: emit.op('GatherElements', [emit.value(x), at], { axis: 1 }) };
};

export const cpuRules: EmissionTable = {
  constant: (emit, { type, data }) => emit.constant(type.dtype, type.shape as number[], data),
  matmul: (emit, { transA, transB }, inputs) =>
    transA || transB
      ? emit.op(
          'FusedMatMul',
          names(emit, inputs),
          { transA: Number(transA), transB: Number(transB) },
          microsoft,
        )
      : emit.op('MatMul', names(emit, inputs)),
  add: plain('Add'),
  subtract: plain('Sub'),
  multiply: plain('Mul'),
  divide: plain('Div'),
  maximum: plain('Max'),
  scale: (emit, { factor }, [x]) => emit.op('Mul', [emit.value(x), scalar(emit, factor)]),
  shift: (emit, { term }, [x]) => emit.op('Add', [emit.value(x), scalar(emit, term)]),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  sigmoid: plain('Sigmoid'),
  erf: plain('Erf'),
  sigmoidGate: (emit, { alpha }, [x]) =>
    emit.op('QuickGelu', [emit.value(x)], { alpha: { float: alpha } }, microsoft),
  equal: (emit, _, inputs) => emit.op('Cast', [emit.op('Equal', names(emit, inputs))], { to: 1 }),
  softmax: (emit, _, [x]) => emit.op('Softmax', [emit.value(x)], { axis: -1 }),
  reduceSum: reducing('ReduceSum'),
  reduceMax: reducing('ReduceMax'),
  broadcastTo: (emit, { shape }, [x]) => emit.op('Expand', [emit.value(x), emit.shape(shape)]),
  reshape: (emit, { shape }, [x]) => reshape(emit, emit.value(x), shape),
  transpose: (emit, { permutation }, [x]) => emit.op('Transpose', [emit.value(x)], { perm: permutation }),
  concat: (emit, { axis }, inputs) => emit.op('Concat', names(emit, inputs), { axis }),
  slice: (emit, { axis, start, end }, [x]) => {
    const integers = [start, end, axis].map((value) => emit.constant('i64', [1], [value]));
    return emit.op('Slice', [emit.value(x), ...integers]);
  },
  // Rows of a stored half-precision table are picked first and cast after: the table itself is never cast.
  gather: (emit, _, [data, indices]) => {
    const { name, type } = emit.stored(data);
    const rows = emit.op('Gather', [name, emit.value(indices)], { axis: 0 });
    return type === 'f16' || type === 'bf16' ? emit.op('Cast', [rows], { to: 1 }) : rows;
  },
  // ScatterElements adds in order; ScatterND's parallel add would not be the same at every run.
  scatterAdd: (emit, { rows }, [indices, updates]) => {
    const shape = emit.type(updates).shape;
    const column = reshape(emit, emit.value(indices), [shape[0], ...shape.slice(1).map(() => 1)]);
    const everywhere = emit.op('Expand', [column, emit.shape(shape)]);
    const zeros = emit.op('Expand', [scalar(emit, 0), emit.shape([rows, ...shape.slice(1)])]);
    return emit.op('ScatterElements', [zeros, everywhere, emit.value(updates)], {
      axis: 0,
      reduction: 'add',
    });
  },
  pickColumn: (emit, { start }, [x, columns]) => {
    const { inside, picked } = pickColumn(emit, start, x, columns);
    return emit.op('Where', [inside, picked, scalar(emit, 0)]);
  },
  // A row without a place for it gets back what it had.
  fillColumn: (emit, { start }, [x, columns, values]) => {
    const { at, inside, picked } = pickColumn(emit, start, x, columns);
    const put = emit.op('Where', [inside, emit.value(values), picked]);
    return emit.op('ScatterElements', [emit.value(x), at, put], { axis: 1 });
  },
  read: (emit, _, [x]) => emit.value(x),
  rmsNorm: (emit, { epsilon }, inputs) =>
    emit.op('SimplifiedLayerNormalization', names(emit, inputs), {
      axis: -1,
      epsilon: { float: epsilon },
      stash_type: 1,
    }),
  layerNorm: (emit, { epsilon }, inputs) =>
    emit.op('LayerNormalization', names(emit, inputs), { axis: -1, epsilon: { float: epsilon } }),
  rotary,
  dropout,
};
