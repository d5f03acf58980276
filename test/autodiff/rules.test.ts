import { expect, it } from 'vitest';
import { gradientRules } from '../../src/autodiff/rules.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import type { OpKind, Value } from '../../src/graph/ir.ts';
import { checkOp, type OperandSpec } from '../support/check-op.ts';

type Case = [operands: OperandSpec[], build: (graph: GraphBuilder, values: Value[]) => Value];

const T = { shape: ['T', 6], fed: [5, 6] };
const positive = (x: number) => Math.abs(x) + 0.5;
/** From column 2 on a row of T has places 2 to 7. */
const columns = { shape: ['T'], fed: [5], integers: [2, 7, 1, 8, 5] };
const keys = { shape: ['T'], fed: [5], integers: [3, 99, -7, 2 ** 30, 0] };

/** Every op with the shapes that matter: broadcasting, symbols, batches, transposed operands. */
const cases: { [K in Exclude<OpKind, 'input' | 'parameter'>]: Case[] } = {
  constant: [
    [
      [T],
      (g, [x]) => g.multiply(x, g.constant({ shape: [6], dtype: 'f32' }, Float32Array.of(1, 2, 3, 4, 5, 6))),
    ],
  ],
  matmul: [
    [[T, { shape: [6, 4] }], (g, [a, b]) => g.matmul(a, b)],
    [[T, { shape: [4, 6] }], (g, [a, b]) => g.matmul(a, b, { transB: true })],
    [[T, { shape: ['T', 3], fed: [5, 3] }], (g, [a, b]) => g.matmul(a, b, { transA: true })],
    [[{ shape: [6, 4] }, { shape: [3, 6] }], (g, [a, b]) => g.matmul(a, b, { transA: true, transB: true })],
    [[{ shape: [2, 3, 4] }, { shape: [2, 5, 4] }], (g, [a, b]) => g.matmul(a, b, { transB: true })],
    [[{ shape: [2, 4, 3] }, { shape: [2, 4, 5] }], (g, [a, b]) => g.matmul(a, b, { transA: true })],
    [[{ shape: [2, 'T', 4], fed: [2, 3, 4] }, { shape: [4, 5] }], (g, [a, b]) => g.matmul(a, b)],
    [
      [{ shape: [2, 'T', 4], fed: [2, 3, 4] }, { shape: [5, 4] }],
      (g, [a, b]) => g.matmul(a, b, { transB: true }),
    ],
  ],
  add: [
    [[T, T], (g, [a, b]) => g.add(a, b)],
    [[T, { shape: [6] }], (g, [a, b]) => g.add(a, b)],
  ],
  subtract: [[[T, { shape: ['T', 1], fed: [5, 1] }], (g, [a, b]) => g.subtract(a, b)]],
  multiply: [
    [[T, { shape: [1, 6] }], (g, [a, b]) => g.multiply(a, b)],
    [[T], (g, [a]) => g.multiply(a, a)],
  ],
  divide: [[[T, { ...T, draw: positive }], (g, [a, b]) => g.divide(a, b)]],
  maximum: [[[T, T], (g, [a, b]) => g.maximum(a, b)]],
  scale: [[[T], (g, [x]) => g.scale(x, -0.37)]],
  shift: [[[T], (g, [x]) => g.multiply(x, g.shift(x, 2.5))]],
  exp: [[[T], (g, [x]) => g.exp(x)]],
  log: [[[{ ...T, draw: positive }], (g, [x]) => g.log(x)]],
  sqrt: [[[{ ...T, draw: positive }], (g, [x]) => g.sqrt(x)]],
  sigmoid: [[[T], (g, [x]) => g.sigmoid(x)]],
  erf: [[[T], (g, [x]) => g.erf(x)]],
  sigmoidGate: [
    [[T], (g, [x]) => g.sigmoidGate(x, 1)],
    [[T], (g, [x]) => g.sigmoidGate(x, 1.702)],
  ],
  equal: [[[T, keys, keys], (g, [x, a, b]) => g.multiply(x, g.reshape(g.equal(a, b), ['T', 1]))]],
  softmax: [[[T], (g, [x]) => g.softmax(x)]],
  reduceSum: [
    [[T], (g, [x]) => g.reduceSum(x, [1])],
    [[{ shape: [2, 'T', 3], fed: [2, 4, 3] }], (g, [x]) => g.reduceSum(x, [0, 2])],
  ],
  reduceMax: [[[T], (g, [x]) => g.reduceMax(x, [1])]],
  broadcastTo: [[[{ shape: [1, 6] }, T], (g, [x, like]) => g.add(g.broadcastTo(x, ['T', 6]), like)]],
  reshape: [
    [[T], (g, [x]) => g.reshape(x, ['3*T', 2])],
    // Two symbolic lengths in the result, so its shape is computed at run time.
    [
      [
        { shape: ['6*T', 'M'], fed: [12, 3] },
        { shape: ['T'], fed: [2] },
      ],
      (g, [x, t]) => g.multiply(g.reshape(x, [6, 'T', 'M']), g.reshape(t, ['T', 1])),
    ],
  ],
  transpose: [[[{ shape: [2, 'T', 3], fed: [2, 4, 3] }], (g, [x]) => g.transpose(x, [1, 2, 0])]],
  concat: [[[T, { shape: ['T', 2], fed: [5, 2] }], (g, [a, b]) => g.concat([a, b], 1)]],
  slice: [
    [[T], (g, [x]) => g.slice(x, 1, 2, 5)],
    [[T], (g, [x]) => g.slice(x, 1, 0, 6)],
  ],
  gather: [
    [
      [{ shape: [4, 3] }, { shape: ['N'], fed: [5], integers: [0, 3, 3, 1, 0] }],
      (g, [x, i]) => g.gather(x, i),
    ],
    [[{ shape: [4, 3] }, { shape: ['N'], fed: [1], integers: [2] }], (g, [x, i]) => g.gather(x, i)],
  ],
  scatterAdd: [
    [
      [
        { shape: ['N', 3], fed: [5, 3] },
        { shape: ['N'], fed: [5], integers: [0, 3, 3, 1, 0] },
      ],
      (g, [x, i]) => g.scatterAdd(i, x, 4),
    ],
  ],
  pickColumn: [[[T, columns], (g, [x, c]) => g.pickColumn(x, c, 2)]],
  fillColumn: [
    [[T, columns, { shape: ['T', 1], fed: [5, 1] }], (g, [x, c, v]) => g.fillColumn(x, c, v, 2)],
    [[T, columns, { shape: [1, 1] }], (g, [x, c, v]) => g.fillColumn(x, c, v, 2)],
  ],
  read: [[[T], (g, [x]) => g.multiply(g.read(x), g.read(x))]],
  rmsNorm: [[[T, { shape: [6] }], (g, [x, w]) => g.rmsNorm(x, w, 1e-6)]],
  layerNorm: [[[T, { shape: [6] }, { shape: [6] }], (g, [x, w, b]) => g.layerNorm(x, w, b, 1e-6)]],
  rotary: [
    [
      [{ shape: [5, 8] }],
      (g, [x]) => {
        // cos and sin are tables, not variables: only x has a gradient.
        const angles = Array.from({ length: 10 }, (_, i) => 0.3 * i);
        const table = (f: (x: number) => number) =>
          g.constant({ shape: [5, 2], dtype: 'f32' }, Float32Array.from(angles, f));
        return g.rotary(x, table(Math.cos), table(Math.sin), 2);
      },
    ],
  ],
  dropout: [[[T, keys], (g, [x, k]) => g.dropout(x, k, 0.4, 11)]],
};

it('has a case for every op that computes', () => {
  const leaves = ['input', 'parameter'];
  expect(Object.keys(cases).sort()).toEqual(
    Object.keys(gradientRules)
      .filter((op) => !leaves.includes(op))
      .sort(),
  );
});

for (const [op, list] of Object.entries(cases))
  list.forEach(([operands, build], i) => {
    it(`${op} ${i + 1}: forward and gradient agree with float64`, () => checkOp(operands, build));
  });
