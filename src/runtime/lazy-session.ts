/** A session that opens at its first run, and is fed what its graph asks for and nothing more. */
import { type Graph, nodesOfKind } from '../graph/ir.ts';
import type { Shape } from '../graph/shape.ts';
import { type Feed, openSession, type Session, type SessionOptions, type TensorData } from './session.ts';

/** A weight that is fed at every run, and not mapped from a file. */
export interface FedWeight {
  name: string;
  shape: readonly number[];
  values: Float32Array;
}

interface Opened {
  session: Session;
  inputs: Set<string>;
  /** The shapes that the graph gives the weights it is fed. */
  fed: Map<string, Shape>;
}

export class LazySession {
  readonly #build: () => Graph;
  readonly #options: SessionOptions;
  #opened?: Opened;

  constructor(build: () => Graph, options: SessionOptions) {
    this.#build = build;
    this.#options = options;
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    weights: readonly FedWeight[],
  ): Promise<Record<string, TensorData>> {
    this.#opened ??= await this.#open();
    const { session, inputs, fed } = this.#opened;
    const asked = Object.entries(feeds).filter(([name]) => inputs.has(name));
    const wanted = weights.flatMap(({ name, shape, values }) => {
      const known = fed.get(name);
      return known ? [[name, { data: values, dims: isFixed(known) ? known : shape }] as const] : [];
    });
    return session.run(Object.fromEntries([...asked, ...wanted]));
  }

  async #open(): Promise<Opened> {
    const graph = this.#build();
    const fed = nodesOfKind(graph, 'parameter').filter((node) => !node.attributes.location);
    return {
      session: await openSession(graph, this.#options),
      inputs: new Set(nodesOfKind(graph, 'input').map((node) => node.attributes.name)),
      fed: new Map(fed.map((node) => [node.attributes.name, node.type.shape])),
    };
  }

  async close(): Promise<void> {
    await this.#opened?.session.close();
    this.#opened = undefined;
  }
}

const isFixed = (shape: Shape): shape is number[] => shape.every((dim) => typeof dim === 'number');
