/** What a session of a graph holds in memory over its runs, known from the graph alone. */
import type { Graph } from '../graph/ir.ts';
import type { Lengths } from '../graph/shape.ts';
import { Arena, type Chunk } from './arena.ts';
import { type BufferStep, planBuffers } from './buffer-plan.ts';
import { emit } from './emit.ts';
import { executionOrder } from './execution-order.ts';
import { bytesOf, type OnnxValue, typesOf } from './onnx-types.ts';
import type { Target } from './targets.ts';

/** Bytes of one run. */
export interface RunMemory {
  /** Buffers that are alive at once, at most; weights that are cast count as buffers. */
  live: number;
  /** What is fed and stays in the caller's hands, trained weights among it. */
  fed: number;
  /** What comes back. */
  outputs: number;
}

export interface GraphMemory {
  /** Nodes of the emitted model. */
  nodes: number;
  ofRun(lengths: Lengths): RunMemory;
  /** What the session's arena has come to hold after these runs, one after the other, bytes. */
  arenaAfter(runs: readonly Lengths[]): number;
}

export function graphMemory(graph: Graph, target: Target): GraphMemory {
  const { model } = emit(graph, target);
  const order = executionOrder(model);
  let steps: BufferStep[] | undefined;
  const read = (lengths: Lengths) => {
    const types = typesOf(model, lengths, order);
    steps ??= planBuffers(model, types, order); // the engine plans once, whatever the lengths
    return { types, steps };
  };
  return {
    nodes: model.nodes.length,
    ofRun(lengths) {
      const { types, steps } = read(lengths);
      const sum = (names: Iterable<{ name: string }>) =>
        [...names].reduce((bytes, { name }) => bytes + bytesOf(types.get(name)!), 0);
      return {
        live: mostAlive(steps, types),
        fed: sum(model.inputs),
        outputs: sum(model.outputs),
      };
    },
    arenaAfter(runs) {
      const arena = new Arena();
      for (const lengths of runs) {
        const { types, steps } = read(lengths);
        runIn(arena, steps, types);
      }
      return arena.touched;
    },
  };
}

function mostAlive(steps: readonly BufferStep[], types: ReadonlyMap<string, OnnxValue>): number {
  let [alive, most] = [0, 0];
  for (const { takes, gives } of steps) {
    for (const name of takes) alive += bytesOf(types.get(name)!);
    most = Math.max(most, alive);
    for (const name of gives) alive -= bytesOf(types.get(name)!);
  }
  return most;
}

function runIn(arena: Arena, steps: readonly BufferStep[], types: ReadonlyMap<string, OnnxValue>): void {
  const held = new Map<string, Chunk>();
  for (const { takes, gives } of steps) {
    for (const name of takes) held.set(name, arena.take(bytesOf(types.get(name)!)));
    for (const name of gives) {
      arena.give(held.get(name)!);
      held.delete(name);
    }
  }
  for (const chunk of held.values()) arena.give(chunk); // outputs, once they are copied
}
