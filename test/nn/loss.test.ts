/** Losses over a vocabulary of several blocks, and their gradients, against float64 and the plain function. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/autodiff/backward.ts';
import { openCheckpointFolder } from '../../src/formats/checkpoint-folder.ts';
import { type TensorLocation, writeSafetensors } from '../../src/formats/safetensors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/ir.ts';
import { verify } from '../../src/graph/verify.ts';
import { crossEntropy } from '../../src/loss.ts';
import { differentiatedLoss, nextTokenLoss, vocabularyBlock } from '../../src/nn/loss.ts';
import type { Parameter } from '../../src/nn/network.ts';
import { stream } from '../../src/random.ts';
import { emit } from '../../src/runtime/emit.ts';
import { openSession } from '../../src/runtime/session.ts';
import { executionOrder, mostAlive } from '../support/execution-order.ts';
import { relativeL2 } from '../support/parity.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-loss-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [words, width] = [5000, 6];
/** The first and last word of each block of 2,048, the same word twice, and one inside. */
const labels = Int32Array.of(0, 2047, 2048, 4095, 4096, 4999, 3000, 3000);
const rows = labels.length;
const draws = stream(2, 'loss');
/** Rounded to halves that bf16 and f32 both hold exactly. */
const weight = Float32Array.from({ length: words * width }, () => Math.round(draws.normal() * 32) / 32);
weight.fill(4, 2047 * width, 2048 * width); // longer than all others, so that a state can be certain of it
// Logits beyond +-100, so that nothing but the largest logit keeps the exponentials finite; one row is near certain.
const hidden = Float32Array.from({ length: rows * width }, (_, i) => (i % 2 ? 4 : 20) * draws.normal());
hidden.fill(1, width, 2 * width);

/** [N, V] in float64. */
const logits = Float64Array.from({ length: rows * words }, (_, i) => {
  const [n, v] = [Math.floor(i / words), i % words];
  let sum = 0;
  for (let d = 0; d < width; d++) sum += hidden[n * width + d] * weight[v * width + d];
  return sum;
});

/** softmax - one-hot, the label's entry as what the others leave. */
const toLogits = (() => {
  const gradient = new Float64Array(rows * words);
  labels.forEach((label, n) => {
    const row = logits.subarray(n * words, (n + 1) * words);
    const largest = row.reduce((a, b) => Math.max(a, b));
    const exponentials = row.map((x) => Math.exp(x - largest));
    const total = exponentials.reduce((a, b) => a + b);
    exponentials.forEach((e, v) => {
      gradient[n * words + v] = e / total;
    });
    const others = exponentials.reduce((sum, e, v) => (v === label ? sum : sum + e), 0);
    gradient[n * words + label] = -others / total;
  });
  return gradient;
})();

const expectedToHidden = Float64Array.from({ length: rows * width }, (_, i) => {
  const [n, d] = [Math.floor(i / width), i % width];
  let sum = 0;
  for (let v = 0; v < words; v++) sum += toLogits[n * words + v] * weight[v * width + d];
  return sum;
});

const expectedToWeight = Float64Array.from({ length: words * width }, (_, i) => {
  const [v, d] = [Math.floor(i / width), i % width];
  let sum = 0;
  for (let n = 0; n < rows; n++) sum += toLogits[n * words + v] * hidden[n * width + d];
  return sum;
});

function network(location?: TensorLocation) {
  const role = location ? 'frozen' : 'trainable';
  const head: Parameter = { name: 'head', shape: [words, width], role, location };
  const graph = new GraphBuilder();
  const net = {
    graph,
    parameters: new Map([['head', head]]),
    lora: new Map(),
    training: true,
    recompute: false,
  };
  const x = graph.input('hidden', { shape: ['N', width], dtype: 'f32' });
  return { net, graph, x, labels: graph.input('labels', { shape: ['N'], dtype: 'i32' }) };
}

function training(location?: TensorLocation): Graph {
  const { net, graph, x, labels } = network(location);
  const loss = differentiatedLoss(net, 'head', x, labels);
  const values = { logSumExp: loss.logSumExp, label: loss.label, largest: loss.largest };
  for (const [name, value] of Object.entries(values)) graph.output(name, value);
  const head = location ? [] : [graph.parameter('head', [words, width])];
  const gradients = backward(graph, loss.seeds, [x, ...head]);
  graph.output('toHidden', gradients.get(x)!);
  for (const value of head) graph.output('toWeight', gradients.get(value)!);
  return graph.finish();
}

function scoring(location?: TensorLocation): Graph {
  const { net, graph, x, labels } = network(location);
  const { logSumExp, label, largest, logits } = nextTokenLoss(net, 'head', x, labels);
  const values = { logSumExp, label, largest, logits: logits() };
  for (const [name, value] of Object.entries(values)) graph.output(name, value);
  return graph.finish();
}

async function stored(dtype: 'f32' | 'bf16'): Promise<TensorLocation> {
  const dir = join(folder, dtype);
  mkdirSync(dir, { recursive: true });
  await writeSafetensors(join(dir, 'model.safetensors'), [
    { name: 'head', dtype, shape: [words, width], data: weight },
  ]);
  return (await openCheckpointFolder(dir)).get('head')!;
}

async function run(graph: Graph) {
  verify(graph);
  const session = await openSession(graph, { target: 'cpu', threads: 1 });
  const fed = graph.nodes.some(
    ({ op, attributes }) => op === 'parameter' && !('location' in attributes && attributes.location),
  );
  const results = await session.run({
    hidden: { data: hidden, dims: [rows, width] },
    labels: { data: labels, dims: [rows] },
    ...(fed ? { head: { data: weight, dims: [words, width] } } : {}),
  });
  await session.close();
  return results as Record<string, Float32Array>;
}

/** Losses to a millionth of the largest logit, which is what f32 keeps of a logit. */
function expectLosses({ logSumExp, label, largest }: Record<string, Float32Array>) {
  const { perToken } = crossEntropy(logits, labels);
  labels.forEach((word, n) => {
    const row = logits.subarray(n * words, (n + 1) * words);
    const scale = row.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(Math.abs(logSumExp[n] - label[n] - perToken[n]) / scale).toBeLessThan(1e-6);
    expect(Math.abs(label[n] - row[word]) / scale).toBeLessThan(1e-6);
    expect(Math.abs(largest[n] - row.reduce((a, b) => Math.max(a, b))) / scale).toBeLessThan(1e-6);
  });
  // The near certain row is a hit to the bit, as accuracy asks.
  expect(label[1]).toBe(largest[1]);
}

describe.each([
  ['trained', undefined],
  ['frozen as f32', 'f32'],
  ['frozen as bf16', 'bf16'],
] as const)('a head that is %s', (_, dtype) => {
  it('gives losses and gradients as float64 does', async () => {
    const results = await run(training(dtype && (await stored(dtype))));
    expectLosses(results);
    expect(relativeL2(results.toHidden, expectedToHidden)).toBeLessThan(3e-5);
    if (!dtype) expect(relativeL2(results.toWeight, expectedToWeight)).toBeLessThan(3e-5);
  });

  it('scores alike, and hands out the logits where asked', async () => {
    const results = await run(scoring(dtype && (await stored(dtype))));
    expectLosses(results);
    expect(relativeL2(results.logits, logits)).toBeLessThan(1e-6);
  });
});

it('keeps the gradient of a row that is near certain as small as it is', async () => {
  const { toHidden } = await run(training(await stored('f32')));
  const [found, expected] = [toHidden, expectedToHidden].map((all) => all.subarray(width, 2 * width));
  expect(Math.hypot(...expected)).toBeLessThan(1e-3);
  expect(relativeL2(found, expected)).toBeLessThan(1e-3);
});

it('makes blocks as long as fits beside the rows', () => {
  expect([1, 1024, 1025, 2048, 8192, 1e6].map((rows) => vocabularyBlock(rows))).toEqual([
    8192, 8192, 4096, 4096, 1024, 512,
  ]);
  expect(vocabularyBlock()).toBe(1024);
});

it('holds one block of logits at a time', async () => {
  const location = await stored('bf16');
  for (const graph of [training(location), withoutLogits(location)]) {
    const order = executionOrder(emit(graph, 'cpu').model);
    expect(mostAlive(order, ['FusedMatMul'])).toBe(1);
    expect(mostAlive(order, ['Cast'])).toBe(1);
  }
});

function withoutLogits(location: TensorLocation): Graph {
  const { net, graph, x, labels } = network(location);
  const { logSumExp, label, largest } = nextTokenLoss(net, 'head', x, labels);
  for (const [name, value] of Object.entries({ logSumExp, label, largest })) graph.output(name, value);
  return graph.finish();
}
