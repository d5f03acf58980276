/** The text decoder as graph: embedded tokens in, the last layer's hidden states out. */
import type { Value } from '../../graph/ir.ts';
import { attention } from '../../nn/attention.ts';
import type { KeyValueSource } from '../../nn/key-value-cache.ts';
import { linear } from '../../nn/linear.ts';
import { layer, type Network, parameter } from '../../nn/network.ts';
import type { Qwen2VLConfig } from './config.ts';

const stem = 'model.language_model';

export interface TextInputs {
  /** [T, headDim / 2] */
  cos: Value;
  sin: Value;
  /** [T, S] additive: each token sees its own sample up to itself. S is T without a cache. */
  mask: Value;
  /** Keys and values of tokens that earlier runs have read; those of this run are added to it. */
  cache?: KeyValueSource;
}

/** Rows of [M, D] that stand in for the embeddings of image tokens. */
export interface ImageInputs {
  /** [M, D] the merger's output. */
  embeddings: Value;
  /** [T] for an image token the row of its embedding, for any other 0. */
  index: Value;
  /** [T, 1] 1 at image tokens, 0 elsewhere. */
  isImage: Value;
}

export function embedTokens(net: Network, ids: Value, images?: ImageInputs): Value {
  const { graph } = net;
  const words = graph.gather(parameter(net, `${stem}.embed_tokens.weight`), ids); // [T, D]
  if (!images) return words;
  const isText = graph.shift(graph.scale(images.isImage, -1), 1);
  const pictures = graph.gather(images.embeddings, images.index);
  return graph.add(graph.multiply(words, isText), graph.multiply(pictures, images.isImage));
}

/** x [T, D] -> [T, D], before the final norm. */
export function decoder(net: Network, { text }: Qwen2VLConfig, x: Value, inputs: TextInputs): Value {
  let hidden = x;
  for (let i = 0; i < text.layers; i++)
    hidden = layer(net, () => decoderLayer(net, `${stem}.layers.${i}`, hidden, text, inputs));
  return hidden;
}

/** [rows, D] -> [rows, D], what the head reads. */
export function finalNorm(net: Network, hidden: Value, { text }: Qwen2VLConfig): Value {
  return net.graph.rmsNorm(hidden, parameter(net, `${stem}.norm.weight`), text.rmsNormEps);
}

/** The weight that turns hidden states into logits: the embedding itself where the two are tied. */
export const headWeight = ({ text }: Qwen2VLConfig): string =>
  text.tieWordEmbeddings ? `${stem}.embed_tokens.weight` : 'lm_head.weight';

function decoderLayer(
  net: Network,
  module: string,
  x: Value,
  text: Qwen2VLConfig['text'],
  inputs: TextInputs,
): Value {
  const { graph } = net;
  const norm = (name: string, value: Value) =>
    graph.rmsNorm(value, parameter(net, `${module}.${name}.weight`), text.rmsNormEps);
  const attended = graph.add(
    x,
    selfAttention(net, `${module}.self_attn`, norm('input_layernorm', x), text, inputs),
  );
  return graph.add(attended, swiGlu(net, `${module}.mlp`, norm('post_attention_layernorm', attended)));
}

function selfAttention(
  net: Network,
  module: string,
  x: Value,
  { heads, kvHeads, headDim }: Qwen2VLConfig['text'],
  { cos, sin, mask, cache }: TextInputs,
): Value {
  const { graph } = net;
  const q = graph.rotary(linear(net, `${module}.q_proj`, x, { bias: true }), cos, sin, heads);
  const k = graph.rotary(linear(net, `${module}.k_proj`, x, { bias: true }), cos, sin, kvHeads);
  const v = linear(net, `${module}.v_proj`, x, { bias: true });
  const seen = cache ? cache.extend({ k, v }) : { k, v };
  const mixed = attention(graph, { q, ...seen, mask }, { heads, kvHeads, headDim });
  return linear(net, `${module}.o_proj`, mixed, { bias: false });
}

/** down(silu(gate(x)) * up(x)) (Shazeer 2020). */
function swiGlu(net: Network, module: string, x: Value): Value {
  const { graph } = net;
  const gate = graph.sigmoidGate(linear(net, `${module}.gate_proj`, x, { bias: false }), 1);
  const up = linear(net, `${module}.up_proj`, x, { bias: false });
  return linear(net, `${module}.down_proj`, graph.multiply(gate, up), { bias: false });
}
