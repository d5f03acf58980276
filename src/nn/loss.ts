/**
 * The masked next-token cross-entropy, from hidden states to losses, computed on label rows only and in blocks of
 * the vocabulary, so that no tensor of tokens x vocabulary exists. Its gradient is known in closed form.
 */
import type { Seed } from '../autodiff/backward.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ir.ts';
import { lookup, type Network, parameter } from './network.ts';

/** Words of the vocabulary that one block of logits covers. */
const blockLength = 8192;

/** Rows [start, end) of the head's weight, [end - start, D]. */
interface Block {
  start: number;
  end: number;
  weight: Value;
}

export interface NextTokenLoss {
  /** [N, 1] each: log sum exp of the logits, the label's logit, the largest logit. Loss = logSumExp - label. */
  logSumExp: Value;
  label: Value;
  largest: Value;
  /** The gradient of the sum of the N losses with respect to the hidden states and the head's blocks. */
  seeds(): Seed[];
}

/** hidden [N, D] at the rows that predict, labels [N] (i32): the losses of the head named `headWeight` [V, D]. */
export function nextTokenLoss(net: Network, headWeight: string, hidden: Value, labels: Value): NextTokenLoss {
  const { graph } = net;
  const blocks = vocabularyBlocks(net, headWeight);
  const logits = (block: Block) => graph.matmul(hidden, block.weight, { transB: true }); // [N, block]
  const parts = blocks.map((block) => {
    const z = logits(block);
    const largest = graph.reduceMax(z, [1]);
    const sum = graph.reduceSum(graph.exp(graph.subtract(z, largest)), [1]);
    const label = graph.reduceSum(graph.multiply(z, isLabel(graph, labels, block)), [1]);
    return { largest, sum, label };
  });
  const largest = parts.map((part) => part.largest).reduce(graph.maximum);
  const total = parts
    .map((part) => graph.multiply(part.sum, graph.exp(graph.subtract(part.largest, largest))))
    .reduce(graph.add);
  const logSumExp = graph.add(graph.log(total), largest);
  return {
    logSumExp,
    label: parts.map((part) => part.label).reduce(graph.add),
    largest,
    seeds: () => lossSeeds(graph, { blocks, logits, hidden, labels, logSumExp }),
  };
}

/** d loss / d logits = softmax - one-hot, block by block: the logits are computed again, not kept. */
function lossSeeds(
  graph: GraphBuilder,
  loss: { blocks: Block[]; logits: (block: Block) => Value; hidden: Value; labels: Value; logSumExp: Value },
): Seed[] {
  const seeds: Seed[] = [];
  let toHidden: Value | undefined;
  for (const block of loss.blocks) {
    const probabilities = graph.exp(graph.subtract(loss.logits(block), loss.logSumExp));
    const toLogits = graph.subtract(probabilities, isLabel(graph, loss.labels, block));
    const part = graph.matmul(toLogits, block.weight);
    toHidden = toHidden === undefined ? part : graph.add(toHidden, part);
    if (isTrainable(graph, block.weight))
      seeds.push({ value: block.weight, gradient: graph.matmul(toLogits, loss.hidden, { transA: true }) });
  }
  return [{ value: loss.hidden, gradient: toHidden! }, ...seeds];
}

const isTrainable = (graph: GraphBuilder, weight: Value): boolean => {
  const node = graph.nodes[weight];
  return node.op === 'parameter' ? !node.attributes.location : true;
};

/** [N, block] 1 at each row's label, if it stands in this block. */
function isLabel(graph: GraphBuilder, labels: Value, { start, end }: Block): Value {
  const words = graph.constant(
    { shape: [1, end - start], dtype: 'i32' },
    Int32Array.from({ length: end - start }, (_, i) => start + i),
  );
  return graph.equal(graph.reshape(labels, [graph.shape(labels)[0], 1]), words);
}

/** hidden [N, D] -> logits [N, V], for decoding: the only place where whole rows of logits are wanted. */
export function nextTokenLogits(net: Network, headWeight: string, hidden: Value): Value {
  return net.graph.concat(
    vocabularyBlocks(net, headWeight).map(({ weight }) => net.graph.matmul(hidden, weight, { transB: true })),
    1,
  );
}

/** Each block of a frozen head is a parameter of its own: a slice of the mapped file. */
function vocabularyBlocks(net: Network, name: string): Block[] {
  const { graph } = net;
  const { shape, location } = lookup(net, name);
  const [words, width] = shape.map(Number);
  const starts = Array.from({ length: Math.ceil(words / blockLength) }, (_, i) => i * blockLength);
  return starts.map((start) => {
    const end = Math.min(start + blockLength, words);
    if (starts.length === 1) return { start, end, weight: parameter(net, name) };
    if (!location) return { start, end, weight: graph.slice(parameter(net, name), 0, start, end) };
    const rowBytes = location.byteLength / words;
    const slice = {
      ...location,
      shape: [end - start, width],
      offset: location.offset + start * rowBytes,
      byteLength: (end - start) * rowBytes,
    };
    return { start, end, weight: graph.parameter(`${name} ${start}..${end}`, slice.shape, slice) };
  });
}
