/** The one file that imports ONNX Runtime: a graph goes in, runs come out. */
import * as ort from 'onnxruntime-node';
import { LorikeetError } from '../errors.ts';
import { encodeOnnx } from '../formats/onnx.ts';
import type { Graph } from '../graph/ir.ts';
import { emit } from './emit.ts';
import { type Target, targets } from './targets.ts';

export interface SessionOptions {
  target: Target;
  threads: number;
  /**
   * Copies constant matrices into the layout that kernels like best: a product with one row is twice as fast, one with
   * 64 rows and more is not. Off, weights stay where they are mapped. Default off.
   */
  pack?: boolean;
}

export type TensorData = Float32Array | Int32Array;
export interface Feed {
  data: TensorData;
  dims: readonly number[];
}

/** A compiled graph. `run` blocks the thread until the kernels are done. */
export interface Session {
  run(feeds: Record<string, Feed>, outputs?: readonly string[]): Promise<Record<string, TensorData>>;
  close(): Promise<void>;
}

export const engineVersion = ort.env.versions.node ?? ort.env.versions.common;

export async function openSession(
  graph: Graph,
  { target, threads, pack = false }: SessionOptions,
): Promise<Session> {
  const { model, folder } = emit(graph, target);
  const bytes = encodeOnnx(model);
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [...targets[target].executionProviders],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // The order of the file is the schedule: no pass may merge a recomputation with its original.
    graphOptimizationLevel: 'disabled',
    enableMemPattern: false,
    enableCpuMemArena: true,
    logSeverityLevel: 3,
    extra: {
      session: {
        disable_prepacking: pack ? '0' : '1',
        ...(folder ? { model_external_initializers_file_folder_path: folder } : {}),
      },
    },
  }).catch((cause) => {
    throw engineError('could not build a session from the graph', cause);
  });
  return {
    async run(feeds, outputs) {
      const tensors = Object.fromEntries(
        Object.entries(feeds).map(([name, { data, dims }]) => [name, toTensor(data, dims)]),
      );
      const results = await (outputs ? session.run(tensors, outputs) : session.run(tensors)).catch(
        (cause) => {
          throw engineError('stopped in the middle of a run', cause);
        },
      );
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [name, tensor.data as TensorData]),
      );
    },
    close: () => session.release(),
  };
}

function toTensor(data: TensorData, dims: readonly number[]): ort.Tensor {
  return data instanceof Float32Array
    ? new ort.Tensor('float32', data, dims)
    : new ort.Tensor('int32', data, dims);
}

function engineError(what: string, cause: unknown): LorikeetError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const memory = /alloc|memory/i.test(reason);
  return new LorikeetError('engine', {
    what: `ONNX Runtime ${what}: ${reason}`,
    fix: memory
      ? 'Lower image.maxPixels or data.maxLength, or turn train.recompute on.'
      : 'Please report this with the message and your config.',
    cause,
  });
}
