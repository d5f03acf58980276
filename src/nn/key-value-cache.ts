/**
 * Keys and values that outlive a run, as graph: attention reads those of earlier tokens from an input, and those of
 * this run's tokens come out to be kept. A token is one row: layer by layer its keys [K D], then its values [K D].
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ir.ts';
import type { Dim } from '../graph/shape.ts';
import type { AttentionShape } from './attention.ts';

export const cacheWidth = (layers: number, { kvHeads, headDim }: Omit<AttentionShape, 'heads'>): number =>
  layers * 2 * kvHeads * headDim;

/** Where attention finds the keys and values of earlier tokens, layer after layer. */
export interface KeyValueSource {
  /** The next layer's keys and values [T, K D]: what comes back is [S, K D], earlier tokens first. */
  extend(fresh: { k: Value; v: Value }): { k: Value; v: Value };
}

export class KeyValueCache implements KeyValueSource {
  readonly #graph: GraphBuilder;
  readonly #past: Value;
  readonly #seen: Dim;
  readonly #fresh: Value[] = [];
  #used = 0;

  /** @param past [C, cacheWidth] the rows of C earlier tokens; `seen` names their length and this run's together. */
  constructor(graph: GraphBuilder, past: Value, seen: Dim) {
    this.#graph = graph;
    this.#past = past;
    this.#seen = seen;
  }

  extend({ k, v }: { k: Value; v: Value }): { k: Value; v: Value } {
    return { k: this.#append(k), v: this.#append(v) };
  }

  /** [T, cacheWidth] what the run's own tokens add, once every layer has been through. */
  rows(): Value {
    return this.#graph.concat(this.#fresh, 1);
  }

  #append(fresh: Value): Value {
    const graph = this.#graph;
    const width = Number(graph.shape(fresh)[1]);
    const past = graph.slice(this.#past, 1, this.#used, this.#used + width);
    this.#used += width;
    this.#fresh.push(fresh);
    return graph.concat([past, fresh], 0, this.#seen);
  }
}
