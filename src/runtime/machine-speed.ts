/** How fast this machine is at what a step is made of, measured in a few seconds through the engine. */
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/ir.ts';
import { type Feed, openSession, type Session } from './session.ts';

export interface MachineSpeed {
  /** Of a matrix product at the model's own widths. */
  flopPerSecond: number;
  /** Read and written by an op that computes next to nothing. */
  bytesPerSecond: number;
  /** What a node costs that has next to nothing to do. */
  secondsPerNode: number;
}

export interface SpeedSettings {
  threads: number;
  /** Rows of a run, T. */
  tokens: number;
  /** The product [tokens, inner] x [inner, outer]. */
  inner: number;
  outer: number;
}

/** How long each of the three is repeated, seconds: three in all. */
const parts = { product: 1.8, move: 0.8, node: 0.4 };
const chain = 400;

/** Blocks the thread for about three seconds. */
export async function measureMachine({
  threads,
  tokens,
  inner,
  outer,
}: SpeedSettings): Promise<MachineSpeed> {
  const product = await timed(productGraph(tokens, inner, outer), threads, parts.product);
  const move = await timed(additionGraph(tokens, outer), threads, parts.move);
  const node = await timed(chainGraph(), threads, parts.node);
  return {
    flopPerSecond: (2 * tokens * inner * outer) / product,
    bytesPerSecond: (moves * 3 * 4 * tokens * outer) / move,
    secondsPerNode: node / chain,
  };
}

/** A few numbers of the result come back, so that copying it is no part of the time. */
function productGraph(tokens: number, inner: number, outer: number): Graph {
  const graph = new GraphBuilder();
  const a = graph.input('a', { shape: [tokens, inner], dtype: 'f32' });
  const b = graph.input('b', { shape: [inner, outer], dtype: 'f32' });
  graph.output('c', graph.slice(graph.matmul(a, b), 0, 0, 1));
  return graph.finish();
}

const moves = 4;

function additionGraph(tokens: number, outer: number): Graph {
  const graph = new GraphBuilder();
  const a = graph.input('a', { shape: [tokens, outer], dtype: 'f32' });
  let sum = a;
  for (let i = 0; i < moves; i++) sum = graph.add(sum, a);
  graph.output('c', graph.slice(sum, 0, 0, 1));
  return graph.finish();
}

function chainGraph(): Graph {
  const graph = new GraphBuilder();
  let x = graph.input('a', { shape: [8], dtype: 'f32' });
  for (let i = 0; i < chain; i++) x = graph.shift(x, 1);
  graph.output('c', x);
  return graph.finish();
}

/** The mean of what fits into `length` seconds, the first run aside: it also pays for what is made once. */
async function timed(graph: Graph, threads: number, length: number): Promise<number> {
  const session = await openSession(graph, { target: 'cpu', threads });
  try {
    const feeds = feedsOf(graph);
    await session.run(feeds);
    return await repeat(session, feeds, length);
  } finally {
    await session.close();
  }
}

async function repeat(session: Session, feeds: Record<string, Feed>, length: number): Promise<number> {
  const begun = performance.now();
  for (let times = 1; ; times++) {
    await session.run(feeds);
    const seconds = (performance.now() - begun) / 1000;
    if (seconds >= length) return seconds / times;
  }
}

function feedsOf(graph: Graph): Record<string, Feed> {
  return Object.fromEntries(
    graph.nodes.flatMap((node) => {
      if (node.op !== 'input') return [];
      const dims = node.type.shape.map(Number);
      const count = dims.reduce((product, length) => product * length, 1);
      return [[node.attributes.name, { data: new Float32Array(count).fill(0.25), dims }]];
    }),
  );
}
