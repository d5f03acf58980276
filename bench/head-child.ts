/** The process in which our side of bench/head.ts runs: the loss alone, its weights mapped. */
import { join } from 'node:path';
import { GraphBuilder } from '../src/graph/builder.ts';
import { differentiatedLoss } from '../src/nn/loss.ts';
import type { Network } from '../src/nn/network.ts';
import { openSession } from '../src/runtime/session.ts';
import type { HeadShape } from './head.ts';
import { writeWeights } from './weights.ts';
import { answer } from './worker-process.ts';

interface Options extends HeadShape {
  rows: number;
  scratch: string;
  threads: number;
}

const { words, width, rows, scratch, threads }: Options = JSON.parse(process.argv[2]);
const name = 'head';
const file = join(scratch, `head-${words}-${width}.bin`);
const location = writeWeights(file, new Map([[name, [words, width]]]), 'f32').get(name)!;
const graph = new GraphBuilder();
const net: Network = {
  graph,
  parameters: new Map([[name, { name, shape: [words, width], role: 'frozen', location }]]),
  lora: new Map(),
  training: true,
  recompute: false,
  labelRows: rows,
};
const hidden = graph.input('hidden', { shape: ['N', width], dtype: 'f32' });
const labels = graph.input('labels', { shape: ['N'], dtype: 'i32' });
const loss = differentiatedLoss(net, name, hidden, labels);
graph.output('loss', graph.reduceSum(graph.subtract(loss.logSumExp, loss.label), [0]));
// Summed, so that the gradient is held where a layer would read it, and not copied to JavaScript.
graph.output('gradient', graph.reduceSum(loss.seeds[0].gradient, [0, 1]));
const session = await openSession(graph.finish(), { target: 'cpu', threads });
const feeds = {
  hidden: {
    data: Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i * 7.77)),
    dims: [rows, width],
  },
  labels: { data: Int32Array.from({ length: rows }, (_, i) => (i * 7919) % words), dims: [rows] },
};

await answer(async (request: { do: 'prepare' | 'step' }) => {
  if (request.do === 'prepare') return 0;
  const start = performance.now();
  await session.run(feeds);
  return (performance.now() - start) / 1000;
});
