/** The vision tower and its merger as graph: patches in, one row of the decoder's width for each merged patch out. */
import type { GraphBuilder } from '../../graph/builder.ts';
import type { Value } from '../../graph/ir.ts';
import { scaleDim } from '../../graph/shape.ts';
import { attention } from '../../nn/attention.ts';
import { linear } from '../../nn/linear.ts';
import { layer, type Network, parameter } from '../../nn/network.ts';
import type { Qwen2VLConfig } from './config.ts';

const quickGelu = 1.702;

export interface VisionInputs {
  /** [P, frames x channels x side x side] */
  patches: Value;
  /** [P, headDim / 2]; [P / alike, headDim / 2] where images are alike. */
  cos: Value;
  sin: Value;
  /** [P, P] additive: keeps images apart where a run holds several. */
  mask?: Value;
  /** So many images of one grid share the rotary tables, and each attends to itself by products of its own. Default 1. */
  alike?: number;
}

/** -> [M, D], M = P / mergeSize^2 image tokens. */
export function visionTower(net: Network, { vision }: Qwen2VLConfig, inputs: VisionInputs): Value {
  const { graph } = net;
  const patchLength = Number(graph.shape(inputs.patches)[1]);
  const weight = parameter(net, 'model.visual.patch_embed.proj.weight', [vision.embedDim, patchLength]);
  let x = graph.matmul(inputs.patches, weight, { transB: true }); // [P, E]
  for (let i = 0; i < vision.depth; i++)
    x = layer(net, () => block(net, `model.visual.blocks.${i}`, x, vision, inputs));
  return merger(net, x, vision);
}

function layerNorm(net: Network, module: string, x: Value, epsilon: number): Value {
  return net.graph.layerNorm(
    x,
    parameter(net, `${module}.weight`),
    parameter(net, `${module}.bias`),
    epsilon,
  );
}

function block(
  net: Network,
  module: string,
  x: Value,
  vision: Qwen2VLConfig['vision'],
  inputs: VisionInputs,
): Value {
  const { graph } = net;
  const attended = graph.add(
    x,
    selfAttention(
      net,
      `${module}.attn`,
      layerNorm(net, `${module}.norm1`, x, vision.layerNormEps),
      vision,
      inputs,
    ),
  );
  const wide = linear(
    net,
    `${module}.mlp.fc1`,
    layerNorm(net, `${module}.norm2`, attended, vision.layerNormEps),
    { bias: true },
  );
  const mlp = linear(net, `${module}.mlp.fc2`, graph.sigmoidGate(wide, quickGelu), { bias: true });
  return graph.add(attended, mlp);
}

/** Every patch of an image sees every other. */
function selfAttention(
  net: Network,
  module: string,
  x: Value,
  { embedDim, heads }: Qwen2VLConfig['vision'],
  { cos, sin, mask, alike = 1 }: VisionInputs,
): Value {
  const { graph } = net;
  const qkv = linear(net, `${module}.qkv`, x, { bias: true }); // [P, 3 E]
  const [q, k, v] = [0, 1, 2].map((i) =>
    besideEachOther(graph, graph.slice(qkv, 1, i * embedDim, (i + 1) * embedDim), alike),
  );
  const allHeads = alike * heads;
  const turned = [q, k].map((part) => graph.rotary(part, cos, sin, allHeads));
  const shape = { heads: allHeads, kvHeads: allHeads, headDim: embedDim / heads };
  const attended = attention(graph, { q: turned[0], k: turned[1], v, mask }, shape);
  return linear(net, `${module}.proj`, belowEachOther(graph, attended, alike), { bias: true });
}

/** [A p, E] -> [p, A E]: images that are alike become further heads of one, which see nothing of each other. */
function besideEachOther(graph: GraphBuilder, x: Value, alike: number): Value {
  if (alike === 1) return x;
  const [rows, width] = graph.shape(x);
  const patches = scaleDim(rows, 1 / alike);
  const split = graph.transpose(graph.reshape(x, [alike, patches, width]), [1, 0, 2]);
  return graph.reshape(split, [patches, scaleDim(width, alike)]);
}

/** [p, A E] -> [A p, E] */
function belowEachOther(graph: GraphBuilder, x: Value, alike: number): Value {
  if (alike === 1) return x;
  const [patches, widths] = graph.shape(x);
  const width = scaleDim(widths, 1 / alike);
  const split = graph.transpose(graph.reshape(x, [patches, alike, width]), [1, 0, 2]);
  return graph.reshape(split, [scaleDim(patches, alike), width]);
}

/** Joins mergeSize x mergeSize neighbours, which stand next to each other, into one image token. */
function merger(
  net: Network,
  x: Value,
  { embedDim, spatialMergeSize, layerNormEps }: Qwen2VLConfig['vision'],
): Value {
  const { graph } = net;
  const normal = layerNorm(net, 'model.visual.merger.ln_q', x, layerNormEps);
  const places = spatialMergeSize ** 2;
  const merged = graph.reshape(normal, [scaleDim(graph.shape(normal)[0], 1 / places), embedDim * places]);
  const wide = linear(net, 'model.visual.merger.mlp.0', merged, { bias: true });
  return linear(net, 'model.visual.merger.mlp.2', gelu(net, wide), { bias: true });
}

/** x/2 (1 + erf(x / sqrt 2)) (Hendrycks and Gimpel 2016), the exact form. */
function gelu({ graph }: Network, x: Value): Value {
  return graph.multiply(graph.scale(x, 0.5), graph.shift(graph.erf(graph.scale(x, Math.SQRT1_2)), 1));
}
