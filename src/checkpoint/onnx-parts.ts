/** The three graphs of an exported model, whose weights are still where the base has them. */
import path from 'node:path';
import { byteWidth } from '../dtype.ts';
import type { OnnxInitializer, OnnxModel, OnnxPort } from '../formats/onnx.ts';
import type { OnnxNodes } from '../formats/onnx-nodes.ts';
import type { TensorLocation } from '../formats/safetensors.ts';
import type { Graph } from '../graph/ir.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import {
  decoderPorts,
  embedTokensModel,
  exportedDecoder,
  exportedVision,
  visionNames,
  visionPorts,
} from '../models/qwen2-vl/transformers-js.ts';
import { embedding, parameterTable } from '../models/qwen2-vl/weights.ts';
import type { Parameter } from '../nn/network.ts';
import { emit } from '../runtime/emit.ts';
import type { PlannedTensor } from './merge-plan.ts';

export type ExportedDType = 'f32' | 'f16';

export interface OnnxPart {
  /** File name without suffix, as transformers.js looks for it. */
  name: string;
  model: OnnxModel;
}

/** A weight of a graph: the bytes that its initializer shall have, and where the base has them. */
export interface PlannedInitializer extends PlannedTensor {
  initializer: OnnxInitializer;
}

export function onnxParts(config: Qwen2VLConfig, dtype: ExportedDType): OnnxPart[] {
  const model = { config, parameters: exportedParameters(config, dtype), lora: new Map(), recompute: false };
  return [
    { name: 'vision_encoder', model: assemble(exportedVision(model), visionPorts(config), visionNames) },
    { name: 'embed_tokens', model: embedTokens(config, model.parameters.get(embedding)!, dtype) },
    { name: 'decoder_model_merged', model: assemble(exportedDecoder(model), decoderPorts(config)) },
  ];
}

const root = path.resolve(path.sep, 'weights');

/** Every parameter in the type of the export, in a file of its own that is never there: it names the tensor. */
function exportedParameters(config: Qwen2VLConfig, dtype: ExportedDType): Map<string, Parameter> {
  return new Map(
    parameterTable(config).map(({ name, shape }) => {
      const byteLength = shape.reduce((product, size) => product * size, byteWidth[dtype]);
      const location = { file: path.join(root, name), dtype, shape, offset: 0, byteLength };
      return [name, { name, shape, role: 'frozen', location }];
    }),
  );
}

function embedTokens(config: Qwen2VLConfig, { shape, location }: Parameter, dtype: ExportedDType): OnnxModel {
  const { byteLength } = location!;
  const data = { file: embedding, offset: 0, length: byteLength };
  const initializer = { name: embedding, type: dtype, dims: shape as number[], data };
  return { ...embedTokensModel(config, { name: embedding, type: dtype }), initializers: [initializer] };
}

/** The graph with what computes some of its inputs before it, under the names that others know. */
function assemble(
  graph: Graph,
  { before, inputs }: { before: OnnxNodes; inputs: OnnxPort[] },
  names: Record<string, string> = {},
): OnnxModel {
  const { model } = emit(graph, 'portable');
  const called = (name: string) => names[name] ?? name;
  const computed = new Set(before.nodes.flatMap(({ outputs }) => outputs));
  const port = (given: OnnxPort) => ({ ...given, name: called(given.name) });
  // The order of a file for others is that in which values depend on each other; ONNX Runtime 1.21 wants names, too.
  const nodes = [...before.nodes, ...model.nodes.toReversed()].map((node, i) => ({
    ...node,
    name: `${node.op}.${i}`,
    inputs: node.inputs.map(called),
    outputs: node.outputs.map(called),
  }));
  return {
    nodes,
    initializers: [...before.initializers, ...model.initializers],
    inputs: [...model.inputs.filter(({ name }) => !computed.has(name)).map(port), ...inputs],
    outputs: model.outputs.map(port),
  };
}

/** The weights of a part, each beside the piece of the base that it is made from. */
export function weightsOf(
  { model }: OnnxPart,
  base: ReadonlyMap<string, TensorLocation>,
  dtype: ExportedDType,
): PlannedInitializer[] {
  return model.initializers.flatMap((initializer) => {
    const { data } = initializer;
    if (data instanceof Uint8Array) return [];
    const whole = base.get(data.file)!;
    const [from, to] = [byteWidth[whole.dtype], byteWidth[dtype]];
    const piece = {
      ...whole,
      offset: whole.offset + (data.offset / to) * from,
      byteLength: (data.length / to) * from,
    };
    return [{ name: data.file, base: piece, dtype, byteLength: data.length, initializer }];
  });
}
