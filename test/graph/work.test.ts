import { expect, it } from 'vitest';
import type { TensorLocation } from '../../src/formats/safetensors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { workOf } from '../../src/graph/work.ts';

const half = (shape: number[]): TensorLocation => ({
  file: '/model.safetensors',
  dtype: 'bf16',
  shape,
  offset: 0,
  byteLength: 2 * shape[0] * shape[1],
});

it('counts two operations for each multiply-add of a product, whichever side stands transposed', () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', { shape: ['T', 6], dtype: 'f32' });
  const weight = graph.parameter('w', [10, 6], half([10, 6]));
  const y = graph.matmul(x, weight, { transB: true }); // [T, 10]
  const scores = graph.matmul(y, y, { transB: true }); // [T, T]
  graph.output('z', graph.matmul(y, scores, { transA: true })); // [10, T]
  const { flop, nodes } = workOf(graph.finish());
  const at = (T: number) => 2 * T * 6 * 10 + 2 * T * 10 * T + 2 * 10 * T * T;
  expect(flop({ T: 7 })).toBe(at(7));
  expect(flop({ T: 100 })).toBe(at(100));
  expect(nodes).toBe(3);
});

it('counts products of batches, and rows of images as so many patches', () => {
  const graph = new GraphBuilder();
  const a = graph.input('a', { shape: [3, '4*M', 5], dtype: 'f32' });
  graph.output('c', graph.matmul(a, a, { transB: true })); // [3, 4 M, 4 M]
  expect(workOf(graph.finish()).flop({ M: 2 })).toBe(2 * 3 * 8 * 8 * 5);
});

it('counts what other nodes read and write, the cast of halves and the rows that a table gives', () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', { shape: ['T', 8], dtype: 'f32' });
  const ids = graph.input('ids', { shape: ['T'], dtype: 'i32' });
  const table = graph.parameter('table', [1000, 8], half([1000, 8]));
  const weight = graph.parameter('w', [8, 8], half([8, 8]));
  const rows = graph.gather(table, ids); // reads and writes T rows of 8
  const sum = graph.add(graph.reshape(x, ['T', 8]), rows); // reads two, writes one
  graph.output('y', graph.matmul(sum, weight)); // casts 64 halves: 2 bytes read, 4 written
  const { moved } = workOf(graph.finish());
  expect(moved({ T: 5 })).toBe(4 * 2 * (5 * 8) + 4 * 3 * (5 * 8) + 6 * 64);
});

it('wants a length for every symbol', () => {
  const graph = new GraphBuilder();
  graph.output('y', graph.exp(graph.input('x', { shape: ['T'], dtype: 'f32' })));
  expect(() => workOf(graph.finish()).moved({ N: 1 })).toThrow('length T expected a number');
});
