/**
 * Reverse-mode differentiation: walks a forward graph from its end and appends the gradient's nodes to it.
 * Values inside a recompute region are computed again, just before their first use in the walk
 * (gradient checkpointing, Chen et al. 2016), so only what crosses a region's border is kept.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, OpKind, Value } from '../graph/ir.ts';
import { sameShape, shapeError } from '../graph/shape.ts';
import { gradientRules } from './rules.ts';

/** Where the walk starts: a value and the gradient of the objective with respect to it. */
export interface Seed {
  value: Value;
  gradient: Value;
}

/**
 * @param graph holds the forward nodes; gradient nodes are appended to it.
 * @param seeds gradients that are known in closed form, usually the loss's with respect to its inputs.
 * @param wanted the values (parameters) whose gradients are asked for.
 * @returns the gradient of each wanted value; a value that the seeds do not depend on has none.
 */
export function backward(
  graph: GraphBuilder,
  seeds: readonly Seed[],
  wanted: readonly Value[],
): Map<Value, Value> {
  const walk = new BackwardWalk(graph, wanted);
  for (const { value, gradient } of seeds) walk.accumulate(value, gradient);
  walk.run(Math.max(...seeds.map(({ value }) => value)));
  return new Map(
    wanted.flatMap((value) => (walk.gradients.has(value) ? [[value, walk.gradients.get(value)!]] : [])),
  );
}

class BackwardWalk {
  readonly gradients = new Map<Value, Value>();
  readonly #graph: GraphBuilder;
  readonly #wanted: Set<Value>;
  /** Forward nodes behind which something wanted stands. */
  readonly #reaches: boolean[];
  /** Forward values that stay in memory although they stand in a region. */
  readonly #kept: Set<Value>;
  readonly #recomputed = new Map<Value, Value>();

  constructor(graph: GraphBuilder, wanted: readonly Value[]) {
    this.#graph = graph;
    this.#wanted = new Set(wanted);
    this.#reaches = reachesWanted(graph.nodes, this.#wanted);
    this.#kept = valuesThatLeaveTheirRegion(graph.nodes);
  }

  accumulate(value: Value, gradient: Value): void {
    if (!this.#reaches[value]) return;
    const [expected, found] = [this.#graph.shape(value), this.#graph.shape(gradient)];
    if (!sameShape(expected, found))
      throw shapeError(`gradient of ${this.#graph.nodes[value].op} expected [${expected}], got [${found}]`);
    const known = this.gradients.get(value);
    this.gradients.set(value, known === undefined ? gradient : this.#graph.add(known, gradient));
  }

  run(from: Value): void {
    for (let value = from; value >= 0; value--) {
      const gradient = this.gradients.get(value);
      if (gradient === undefined) continue;
      this.#step(value, this.#graph.nodes[value], gradient);
      if (!this.#wanted.has(value)) this.gradients.delete(value);
    }
  }

  #step<K extends OpKind>(value: Value, node: Node<K>, gradient: Value): void {
    const { inputs } = node;
    const gradients = gradientRules[node.op as K]({
      graph: this.#graph,
      attributes: node.attributes,
      gradient,
      input: (i) => this.#forward(inputs[i]),
      output: () => this.#forward(value),
      shape: (i) => this.#graph.shape(inputs[i]),
      wanted: (i) => this.#reaches[inputs[i]],
    });
    gradients.forEach((toInput, i) => {
      if (toInput !== undefined) this.accumulate(inputs[i], toInput);
    });
  }

  /** A forward value as the backward pass may read it: the kept one, or its recomputation. */
  #forward(value: Value): Value {
    const node = this.#graph.nodes[value];
    if (node.region === undefined || this.#kept.has(value)) return value;
    const known = this.#recomputed.get(value);
    if (known !== undefined) return known;
    const inputs = node.inputs.map((input) => this.#forward(input));
    const again = this.#graph.node(node.op, node.attributes, inputs);
    this.#recomputed.set(value, again);
    return again;
  }
}

function reachesWanted(nodes: readonly Node[], wanted: Set<Value>): boolean[] {
  const reaches: boolean[] = [];
  nodes.forEach((node, value) => {
    reaches.push(wanted.has(value) || node.inputs.some((input) => reaches[input]));
  });
  return reaches;
}

function valuesThatLeaveTheirRegion(nodes: readonly Node[]): Set<Value> {
  const kept = new Set<Value>();
  for (const node of nodes)
    for (const input of node.inputs) if (nodes[input].region !== node.region) kept.add(input);
  return kept;
}
