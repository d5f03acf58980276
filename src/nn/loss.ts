/**
 * The masked next-token cross-entropy, from hidden states to losses, computed on label rows only and in blocks of
 * the vocabulary, so that no tensor of tokens x vocabulary exists. Its gradient is known in closed form and comes out
 * of the same pass: as in FlashAttention's softmax (Dao et al. 2022), what is summed so far is scaled down whenever a
 * larger logit turns up.
 */
import type { Seed } from '../autodiff/backward.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ir.ts';
import { lookup, type Network, parameter } from './network.ts';

/** Words of the vocabulary that one block of the head covers at most: its weights are cast as a whole. */
const longestBlock = 8192;

/** What a block of logits may hold: 33.5 MB as f32. */
const blockElements = 2 ** 23;

/** Rows that a loss must bear where nobody says how many come. */
const unknownRows = 8192;

/** Words that a block covers in a loss: longer ones are a little faster, but of every row a block of logits is held. */
export function vocabularyBlock(rows = unknownRows): number {
  const fits = 2 ** Math.floor(Math.log2(blockElements / rows));
  return Math.max(512, Math.min(longestBlock, fits));
}

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
  /** [N, V] the logits that the losses were computed from: for a few rows that somebody looks at. */
  logits(): Value;
}

export interface DifferentiatedLoss extends NextTokenLoss {
  /** The gradient of the sum of the N losses with respect to the hidden states and the head's blocks. */
  seeds: Seed[];
}

/** hidden [N, D] at the rows that predict, labels [N] (i32): the losses of the head named `headWeight` [V, D]. */
export function nextTokenLoss(net: Network, headWeight: string, hidden: Value, labels: Value): NextTokenLoss {
  return lossPass(net, headWeight, hidden, labels, { differentiated: false });
}

/** The same losses and their gradients. */
export function differentiatedLoss(
  net: Network,
  headWeight: string,
  hidden: Value,
  labels: Value,
): DifferentiatedLoss {
  const { graph } = net;
  const loss = lossPass(net, headWeight, hidden, labels, { differentiated: true });
  // d loss / d hidden = sum over all words p W - W[label]. The label's p - 1 is -(the others' p), which does not cancel.
  const others = graph.divide(loss.others, loss.total);
  const toLabel = graph.multiply(graph.gather(parameter(net, headWeight), labels), others);
  const toHidden = graph.subtract(graph.divide(loss.toHidden!, loss.total), toLabel);
  const toWeights = loss.blocks
    .filter(({ weight }) => isTrainable(graph, weight))
    .map((block): Seed => {
      const probabilities = graph.exp(graph.subtract(blockLogits(graph, hidden, block), loss.logSumExp));
      const toLogits = graph.fillColumn(probabilities, labels, graph.scale(others, -1), block.start);
      return { value: block.weight, gradient: graph.matmul(toLogits, hidden, { transA: true }) };
    });
  return { ...loss, seeds: [{ value: hidden, gradient: toHidden }, ...toWeights] };
}

/** Sums over the blocks so far, each e^(largest logit so far) times too small; labels stand apart. */
interface Sums {
  /** [N, 1] of e^logit. */
  others: Value;
  /** [N, D] of e^logit times the word's weights. */
  toHidden?: Value;
}

function lossPass(
  net: Network,
  headWeight: string,
  hidden: Value,
  labels: Value,
  { differentiated }: { differentiated: boolean },
) {
  const { graph } = net;
  const blocks = vocabularyBlocks(net, headWeight, vocabularyBlock(net.labelRows));
  const nothing = graph.constant({ shape: [1, 1], dtype: 'f32' }, Float32Array.of(-1e30));
  const logits: Value[] = [];
  let [sums, largest, label]: [Sums?, Value?, Value?] = [];
  for (const { start, weight: stored } of blocks) {
    const weight = graph.read(stored);
    const z = graph.matmul(hidden, weight, { transB: true }); // [N, block]
    logits.push(z);
    const ownLabel = graph.settle(graph.pickColumn(z, labels, start));
    label = label === undefined ? ownLabel : graph.add(label, ownLabel);
    const before: Value | undefined = largest;
    const own = graph.reduceMax(z, [1]);
    largest = before === undefined ? own : graph.maximum(before, own);
    const e = graph.exp(graph.subtract(graph.fillColumn(z, labels, nothing, start), largest));
    const others = graph.settle(graph.reduceSum(e, [1]));
    const fresh = { others, toHidden: differentiated ? graph.matmul(e, weight) : undefined };
    sums = sums ? addSums(graph, sums, fresh, graph.exp(graph.subtract(before!, largest))) : fresh;
    if (sums.toHidden !== undefined) graph.settle(sums.toHidden);
  }
  const total = graph.add(sums!.others, graph.exp(graph.subtract(label!, largest!)));
  return {
    blocks,
    ...sums!,
    total,
    logSumExp: graph.add(graph.log(total), largest!),
    label: label!,
    largest: largest!,
    logits: () => graph.concat(logits, 1),
  };
}

function addSums(graph: GraphBuilder, known: Sums, fresh: Sums, shrink: Value): Sums {
  const join = (a: Value, b: Value) => graph.add(graph.multiply(a, shrink), b);
  const toHidden = known.toHidden === undefined ? undefined : join(known.toHidden, fresh.toHidden!);
  return { others: join(known.others, fresh.others), toHidden };
}

const blockLogits = (graph: GraphBuilder, hidden: Value, { weight }: Block): Value =>
  graph.matmul(hidden, weight, { transB: true });

const isTrainable = (graph: GraphBuilder, weight: Value): boolean => {
  const node = graph.nodes[weight];
  return node.op === 'parameter' ? !node.attributes.location : true;
};

/** hidden [N, D] -> logits [N, V], for decoding: the only place where whole rows of logits are wanted. */
export function nextTokenLogits(net: Network, headWeight: string, hidden: Value): Value {
  return net.graph.concat(
    vocabularyBlocks(net, headWeight, longestBlock).map((block) => blockLogits(net.graph, hidden, block)),
    1,
  );
}

/** Each block of a frozen head is a parameter of its own: a slice of the mapped file. */
function vocabularyBlocks(net: Network, name: string, blockLength: number): Block[] {
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
