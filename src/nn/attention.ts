/** Scaled dot-product attention (Vaswani et al. 2017) with grouped queries (Ainslie et al. 2023). */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ir.ts';
import { scaleDim } from '../graph/shape.ts';

export interface AttentionShape {
  heads: number;
  kvHeads: number;
  headDim: number;
}

/**
 * q [T, H D], k and v [S, K D], additive mask [T, S] (0 or a large negative number) -> [T, H D]. S is T, more than it
 * where a cache holds earlier tokens, or where only some of the tokens ask. The H / K queries of a group stand below each other as rows, so K and V are never
 * repeated.
 */
export function attention(
  graph: GraphBuilder,
  { q, k, v, mask }: { q: Value; k: Value; v: Value; mask?: Value },
  { heads, kvHeads, headDim }: AttentionShape,
): Value {
  const tokens = graph.shape(q)[0];
  const seen = graph.shape(k)[0];
  const group = heads / kvHeads;
  const split = (x: Value) => graph.transpose(graph.reshape(x, [seen, kvHeads, headDim]), [1, 0, 2]); // [K, S, D]
  const scaled = graph.scale(q, 1 / Math.sqrt(headDim));
  const grouped = graph.transpose(graph.reshape(scaled, [tokens, kvHeads, group, headDim]), [1, 2, 0, 3]);
  const rows = [kvHeads, scaleDim(tokens, group)] as const;
  const queries = graph.reshape(grouped, [...rows, headDim]); // [K, G T, D]
  let scores = graph.matmul(queries, split(k), { transB: true }); // [K, G T, S]
  if (mask !== undefined)
    scores = graph.reshape(graph.add(graph.reshape(scores, [kvHeads, group, tokens, seen]), mask), [
      ...rows,
      seen,
    ]);
  const mixed = graph.matmul(graph.softmax(scores), split(v)); // [K, G T, D]
  const ungrouped = graph.transpose(graph.reshape(mixed, [kvHeads, group, tokens, headDim]), [2, 0, 1, 3]);
  return graph.reshape(ungrouped, [tokens, heads * headDim]);
}
