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
  /** [N] the rows whose hidden states are wanted, in any order and as often as wanted; without it all T. */
  rows?: Value;
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

/**
 * x [T, D] -> [N, D] at `rows`, before the final norm. In the last layer only keys and values are needed of the other
 * rows, so its queries, attention, output and MLP run on these N alone.
 */
export function decoder(net: Network, { text }: Qwen2VLConfig, x: Value, inputs: TextInputs): Value {
  const { rows, ...rest } = inputs;
  let hidden = x;
  for (let i = 0; i < text.layers; i++) {
    const here = i === text.layers - 1 ? inputs : rest;
    hidden = layer(net, () => decoderLayer(net, `${stem}.layers.${i}`, hidden, text, here));
  }
  return hidden;
}

/** [rows, D] -> [rows, D], what the head reads. */
export function finalNorm(net: Network, hidden: Value, { text }: Qwen2VLConfig): Value {
  return net.graph.rmsNorm(hidden, parameter(net, `${stem}.norm.weight`), text.rmsNormEps);
}

/** The weight that turns hidden states into logits: the embedding itself where the two are tied. */
export const headWeight = ({ text }: Qwen2VLConfig): string =>
  text.tieWordEmbeddings ? `${stem}.embed_tokens.weight` : 'lm_head.weight';

/** x [T, D] -> [T, D], or [N, D] where rows are picked. */
function decoderLayer(
  net: Network,
  module: string,
  x: Value,
  text: Qwen2VLConfig['text'],
  inputs: TextInputs,
): Value {
  const norm = (name: string, value: Value) =>
    net.graph.rmsNorm(value, parameter(net, `${module}.${name}.weight`), text.rmsNormEps);
  const all = norm('input_layernorm', x);
  const seen = keysAndValues(net, `${module}.self_attn`, all, text, inputs);
  const own = inputs.rows === undefined ? { net, x, ...inputs } : atRows(net, x, inputs, inputs.rows);
  const normal = own.x === x ? all : norm('input_layernorm', own.x);
  const mixed = selfAttention(own.net, `${module}.self_attn`, normal, text, { ...own, ...seen });
  const attended = net.graph.add(own.x, mixed);
  return net.graph.add(
    attended,
    swiGlu(own.net, `${module}.mlp`, norm('post_attention_layernorm', attended)),
  );
}

/** What belongs to the rows [N] that go on through a layer, picked out of all T. */
function atRows(net: Network, x: Value, { cos, sin, mask }: TextInputs, rows: Value) {
  const pick = (value: Value) => net.graph.gather(value, rows);
  const picked = { rows, of: net.graph.shape(x)[0] };
  return { net: { ...net, picked }, x: pick(x), cos: pick(cos), sin: pick(sin), mask: pick(mask) };
}

/** x [T, D] -> k and v [S, K D], those of a cache first. */
function keysAndValues(
  net: Network,
  module: string,
  x: Value,
  { kvHeads }: Qwen2VLConfig['text'],
  { cos, sin, cache }: TextInputs,
): { k: Value; v: Value } {
  const k = net.graph.rotary(linear(net, `${module}.k_proj`, x, { bias: true }), cos, sin, kvHeads);
  const v = linear(net, `${module}.v_proj`, x, { bias: true });
  return cache ? cache.extend({ k, v }) : { k, v };
}

/** x [N, D] asks keys and values [S, K D] under a mask [N, S] -> [N, D]. */
function selfAttention(
  net: Network,
  module: string,
  x: Value,
  { heads, kvHeads, headDim }: Qwen2VLConfig['text'],
  { cos, sin, mask, k, v }: Pick<TextInputs, 'cos' | 'sin' | 'mask'> & { k: Value; v: Value },
): Value {
  const { graph } = net;
  const q = graph.rotary(linear(net, `${module}.q_proj`, x, { bias: true }), cos, sin, heads);
  const mixed = attention(graph, { q, k, v, mask }, { heads, kvHeads, headDim });
  return linear(net, `${module}.o_proj`, mixed, { bias: false });
}

/** down(silu(gate(x)) * up(x)) (Shazeer 2020). */
function swiGlu(net: Network, module: string, x: Value): Value {
  const { graph } = net;
  const gate = graph.sigmoidGate(linear(net, `${module}.gate_proj`, x, { bias: false }), 1);
  const up = linear(net, `${module}.up_proj`, x, { bias: false });
  return linear(net, `${module}.down_proj`, graph.multiply(gate, up), { bias: false });
}
