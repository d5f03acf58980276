/**
 * The one forward of Qwen2-VL: training, scoring and decoding are graphs built from it. Symbols: T tokens of all
 * samples of a run, N rows that predict, M image tokens (and M mergeSize^2 patches).
 */
import { backward } from '../../autodiff/backward.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import type { Graph, TensorType, Value } from '../../graph/ir.ts';
import { type Shape, scaleDim } from '../../graph/shape.ts';
import { cacheWidth, KeyValueCache } from '../../nn/key-value-cache.ts';
import { differentiatedLoss, type NextTokenLoss, nextTokenLogits, nextTokenLoss } from '../../nn/loss.ts';
import type { LoraBranch, Network, Parameter } from '../../nn/network.ts';
import type { Qwen2VLConfig } from './config.ts';
import { decoder, embedTokens, finalNorm, headWeight, type ImageInputs } from './text.ts';
import { visionTower } from './vision.ts';

export interface ModelDefinition {
  config: Qwen2VLConfig;
  parameters: ReadonlyMap<string, Parameter>;
  lora: ReadonlyMap<string, LoraBranch>;
  recompute: boolean;
  /** The most rows that predict in one run, where that is known. */
  labelRows?: number;
}

export const outputNames = {
  logSumExp: 'logSumExp',
  label: 'label',
  largest: 'largest',
  logits: 'logits',
  cacheRows: 'cacheRows',
} as const;
export const imageEmbeddings = 'imageEmbeddings';
export const cacheName = 'cache';
export const gradientName = (parameter: string) => `gradient ${parameter}`;

/** Vision parameters that are trained must be differentiated: the tower then stands inside the step's graph. */
export function trainsVision({ parameters }: Pick<ModelDefinition, 'parameters'>): boolean {
  return [...parameters.values()].some(({ name, role }) => role === 'trainable' && isVision(name));
}

/** Parameters of the vision tower and its merger, which text alone does not reach. */
export const isVision = (parameter: string): boolean => parameter.startsWith('model.visual.');

/** Losses of the label rows and the gradients of their sum. */
export function trainingGraph(model: ModelDefinition): Graph {
  const net = network(model, true);
  const { graph } = net;
  const { seeds } = lossOf(net, model, differentiatedLoss);
  const trainable = [...model.parameters.values()].filter(({ role }) => role === 'trainable');
  const values = trainable.map(({ name, shape }) => graph.parameter(name, fedShape(net, name, shape)));
  const gradients = backward(graph, seeds, values);
  trainable.forEach(({ name }, i) => {
    const gradient = gradients.get(values[i]);
    if (gradient !== undefined) graph.output(gradientName(name), gradient);
  });
  return graph.finish();
}

/** Losses alone, without dropout. */
export function scoringGraph(model: ModelDefinition): Graph {
  const net = network(model, false);
  lossOf(net, model, nextTokenLoss);
  return net.graph.finish();
}

/** The same losses, and the logits [N, V] they come from: what else the model would have said. */
export function inspectionGraph(model: ModelDefinition): Graph {
  const net = network(model, false);
  const loss = lossOf(net, model, nextTokenLoss);
  net.graph.output(outputNames.logits, loss.logits());
  return net.graph.finish();
}

/**
 * T tokens after the C that `cache` [C, cacheWidth] holds: logits [N, V] at the rows asked for, and the rows
 * [T, cacheWidth] that the T tokens add to it. With C = 0 it is the whole forward pass.
 */
export function cachedGraph(model: ModelDefinition): Graph {
  const net = network(model, false);
  const { graph } = net;
  const { text } = model.config;
  const past = graph.input(cacheName, f32(['C', cacheWidth(text.layers, text)]));
  const cache = new KeyValueCache(graph, past, 'S');
  const hidden = hiddenAtRows(net, model, cache);
  graph.output(outputNames.logits, nextTokenLogits(net, headWeight(model.config), hidden));
  graph.output(outputNames.cacheRows, cache.rows());
  return graph.finish();
}

/**
 * Images through a frozen tower: one, [M, D]; `alike` many of one grid, [alike M, D], none of which changes another's
 * sums; `several` of any grids, which need the mask that keeps them apart.
 */
export function visionGraph(model: ModelDefinition, { several = false, alike = 1 } = {}): Graph {
  const net = network({ ...model, recompute: false }, false);
  net.graph.output(imageEmbeddings, vision(net, model.config, { several, alike }));
  return net.graph.finish();
}

export function network(model: ModelDefinition, training: boolean): Network {
  const { parameters, lora, labelRows } = model;
  const recompute = training && model.recompute;
  return { graph: new GraphBuilder(), parameters, lora, training, recompute, labelRows };
}

/** A trainable parameter keeps the shape under which the forward pass already reads it. */
function fedShape({ graph }: Network, name: string, shape: Shape): Shape {
  const known = graph.nodes.find((node) => node.op === 'parameter' && node.attributes.name === name);
  return known?.type.shape ?? shape;
}

function lossOf<L extends NextTokenLoss>(
  net: Network,
  model: ModelDefinition,
  lossFrom: (net: Network, headWeight: string, hidden: Value, labels: Value) => L,
): L {
  const { graph } = net;
  const labels = graph.input('labels', i32(['N']));
  const loss = lossFrom(net, headWeight(model.config), hiddenAtRows(net, model), labels);
  graph.output(outputNames.logSumExp, loss.logSumExp);
  graph.output(outputNames.label, loss.label);
  graph.output(outputNames.largest, loss.largest);
  return loss;
}

const f32 = (shape: Shape): TensorType => ({ shape, dtype: 'f32' });
const i32 = (shape: Shape): TensorType => ({ shape, dtype: 'i32' });

/** [N, D] what the head reads at the rows that predict. */
function hiddenAtRows(net: Network, model: ModelDefinition, cache?: KeyValueCache): Value {
  const { graph } = net;
  const { config } = model;
  const half = config.text.headDim / 2;
  const images: ImageInputs = {
    embeddings: trainsVision(model)
      ? vision(net, config, { several: true, alike: 1 })
      : graph.input(imageEmbeddings, f32(['M', config.text.hiddenSize])),
    index: graph.input('imageIndex', i32(['T'])),
    isImage: graph.input('isImage', f32(['T', 1])),
  };
  const x = embedTokens(net, graph.input('ids', i32(['T'])), images);
  const hidden = decoder(net, config, x, {
    rows: graph.input('rows', i32(['N'])),
    cos: graph.input('cos', f32(['T', half])),
    sin: graph.input('sin', f32(['T', half])),
    mask: graph.input('mask', f32(['T', cache ? 'S' : 'T'])),
    cache,
  });
  return finalNorm(net, hidden, config);
}

function vision(
  net: Network,
  config: Qwen2VLConfig,
  { several, alike }: { several: boolean; alike: number },
): Value {
  const { graph } = net;
  const { headDim, inChannels, temporalPatchSize, patchSize, spatialMergeSize } = config.vision;
  const patches = `${spatialMergeSize ** 2}*M`;
  const patchLength = inChannels * temporalPatchSize * patchSize ** 2;
  return visionTower(net, config, {
    patches: graph.input('patches', f32([scaleDim(patches, alike), patchLength])),
    cos: graph.input('visionCos', f32([patches, headDim / 2])),
    sin: graph.input('visionSin', f32([patches, headDim / 2])),
    mask: several ? graph.input('visionMask', f32([patches, patches])) : undefined,
    alike,
  });
}
