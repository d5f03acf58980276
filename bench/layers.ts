/** A few Qwen2-VL decoder layers at real widths as a training step: what the speed and memory benches run. */
import { backward } from '../src/autodiff/backward.ts';
import type { TensorLocation } from '../src/formats/safetensors.ts';
import { GraphBuilder } from '../src/graph/builder.ts';
import type { Graph } from '../src/graph/ir.ts';
import type { Qwen2VLConfig } from '../src/models/qwen2-vl/config.ts';
import { decoder } from '../src/models/qwen2-vl/text.ts';
import { linearModules, parameterTable } from '../src/models/qwen2-vl/weights.ts';
import { type LoraBranch, loraNames, type Network, type Parameter } from '../src/nn/network.ts';
import type { Session } from '../src/runtime/session.ts';

type Text = Qwen2VLConfig['text'];

export type Size = '2B' | '7B' | 'small';

/** `small` shows how memory grows without waiting for large products. */
export const widths: Record<Size, Text> = {
  small: text({ hiddenSize: 256, heads: 2, kvHeads: 1, intermediateSize: 1024 }),
  '2B': text({ hiddenSize: 1536, heads: 12, kvHeads: 2, intermediateSize: 8960 }),
  '7B': text({ hiddenSize: 3584, heads: 28, kvHeads: 4, intermediateSize: 18944 }),
};

function text(sizes: Pick<Text, 'hiddenSize' | 'heads' | 'kvHeads' | 'intermediateSize'>): Text {
  return {
    ...sizes,
    layers: 2,
    headDim: 128,
    vocabSize: 151936,
    rmsNormEps: 1e-6,
    ropeTheta: 1e6,
    mropeSection: [16, 24, 24],
    tieWordEmbeddings: true,
  };
}

const stem = 'model.language_model.layers.';

export function layersConfig(size: Size, layers: number): Qwen2VLConfig {
  const decoderConfig = { ...widths[size], layers };
  const vision = {
    depth: 0,
    embedDim: 1280,
    heads: 16,
    headDim: 80,
    mlpHidden: 5120,
    patchSize: 14,
    temporalPatchSize: 2,
    spatialMergeSize: 2,
    inChannels: 3,
    hiddenSize: decoderConfig.hiddenSize,
    hiddenAct: 'quick_gelu' as const,
    ropeTheta: 1e4,
    layerNormEps: 1e-6,
  };
  const ids = {
    imageTokenId: 1,
    videoTokenId: 2,
    visionStartTokenId: 3,
    visionEndTokenId: 4,
    eosTokenIds: [],
  };
  return { text: decoderConfig, vision, ...ids, dtype: undefined };
}

/** Shapes of the layers' own parameters. */
export function layerShapes(config: Qwen2VLConfig): Map<string, number[]> {
  return new Map(
    parameterTable(config).flatMap(({ name, shape }) =>
      name.startsWith(stem) ? [[name, shape] as const] : [],
    ),
  );
}

const rank = 16;

/** Forward and backward of the layers with LoRA on all seven linears; the input's gradient too, as inside a model. */
export function layersGraph(
  config: Qwen2VLConfig,
  weights: ReadonlyMap<string, TensorLocation>,
  { recompute }: { recompute: boolean },
): Graph {
  const parameters = new Map<string, Parameter>();
  for (const [name, location] of weights)
    parameters.set(name, { name, shape: location.shape, role: 'frozen', location });
  const lora = new Map<string, LoraBranch>();
  for (const { name, inFeatures, outFeatures } of linearModules(config)) {
    if (!name.startsWith(stem)) continue;
    lora.set(name, { rank, scale: 2, dropout: 0 });
    const { a, b } = loraNames(name);
    parameters.set(a, { name: a, shape: [rank, inFeatures], role: 'trainable' });
    parameters.set(b, { name: b, shape: [outFeatures, rank], role: 'trainable' });
  }
  const graph = new GraphBuilder();
  const net: Network = { graph, parameters, lora, training: true, recompute };
  const float = (name: string, shape: (string | number)[]) => graph.input(name, { shape, dtype: 'f32' });
  const { hiddenSize, headDim } = config.text;
  const x = float('x', ['T', hiddenSize]);
  const tables = { cos: float('cos', ['T', headDim / 2]), sin: float('sin', ['T', headDim / 2]) };
  const y = decoder(net, config, x, { ...tables, mask: float('mask', ['T', 'T']) });
  const seed = float('seed', ['T', hiddenSize]);
  const wanted = [...parameters.values()]
    .filter(({ role }) => role === 'trainable')
    .map(({ name, shape }) => graph.parameter(name, shape));
  const gradients = backward(graph, [{ value: y, gradient: seed }], [...wanted, x]);
  graph.output('y', graph.reduceSum(y, [0, 1]));
  // The input's gradient is computed and summed to one number, so that no large output crosses to JavaScript.
  graph.output('dx', graph.reduceSum(gradients.get(x)!, [0, 1]));
  wanted.forEach((value, i) => {
    graph.output(`d${i}`, gradients.get(value)!);
  });
  return graph.finish();
}

export type Feeds = Parameters<Session['run']>[0];

export function layersFeeds(graph: Graph, tokens: number): Feeds {
  const feeds: Feeds = {};
  for (const node of graph.nodes) {
    if (node.op !== 'input' && node.op !== 'parameter') continue;
    if (node.op === 'parameter' && node.attributes.location) continue;
    const dims = node.type.shape.map((dim) => (typeof dim === 'string' ? tokens : dim));
    const size = dims.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 78.233) * 0.1);
    if (node.attributes.name === 'mask')
      data.forEach((_, i) => {
        data[i] = i % tokens <= Math.floor(i / tokens) ? 0 : -1e30;
      });
    feeds[node.attributes.name] = { data, dims };
  }
  return feeds;
}

/** Bytes of all LoRA gradients: in ONNX Runtime's hands and, copied, in JavaScript's. */
export function gradientBytes(config: Qwen2VLConfig): number {
  const modules = linearModules(config).filter(({ name }) => name.startsWith(stem));
  return modules.reduce(
    (sum, { inFeatures, outFeatures }) => sum + 2 * 4 * rank * (inFeatures + outFeatures),
    0,
  );
}

/** FLOP of one step: forward, activation gradients, attention and LoRA, at 2 for each multiply-add. */
export function layersFlop({ text: t }: Qwen2VLConfig, tokens: number): number {
  const kvWidth = t.kvHeads * t.headDim;
  const linears = [
    [t.hiddenSize, t.hiddenSize],
    [t.hiddenSize, kvWidth],
    [t.hiddenSize, kvWidth],
    [t.hiddenSize, t.hiddenSize],
    [t.hiddenSize, t.intermediateSize],
    [t.hiddenSize, t.intermediateSize],
    [t.intermediateSize, t.hiddenSize],
  ];
  const base = linears.reduce((sum, [a, b]) => sum + a * b, 0);
  const low = linears.reduce((sum, [a, b]) => sum + rank * (a + b), 0);
  const attention = tokens * t.heads * t.headDim;
  // Forward and activation gradient pass the base once each; LoRA also has its own weights' gradient.
  // Attention: two products forward, four backward.
  return t.layers * 2 * tokens * (2 * base + 3 * low + 6 * attention);
}
