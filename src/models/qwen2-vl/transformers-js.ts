/**
 * The model as transformers.js runs it: three graphs, whose ports have the names and shapes that its class
 * Qwen2VLForConditionalGeneration feeds (@huggingface/transformers 3.8 and 4.3, src/models). B is 1. The graphs are the
 * one forward; before them stands what computes their tables and masks from positions, grids and attention masks.
 */
import type { JsonObject } from '../../formats/json.ts';
import type { OnnxModel, OnnxNode, OnnxPort } from '../../formats/onnx.ts';
import { OnnxNodes } from '../../formats/onnx-nodes.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { Graph, TensorType, Value } from '../../graph/ir.ts';
import type { Shape } from '../../graph/shape.ts';
import type { KeyValueSource } from '../../nn/key-value-cache.ts';
import { nextTokenLogits } from '../../nn/loss.ts';
import type { Qwen2VLConfig } from './config.ts';
import { imageEmbeddings, type ModelDefinition, network, visionGraph } from './forward.ts';
import type { ProcessorSettings } from './processor/settings.ts';
import { inverseFrequencies } from './rotary-tables.ts';
import { decoder, finalNorm, headWeight } from './text.ts';

const f32 = (shape: Shape): TensorType => ({ shape, dtype: 'f32' });

/** -1e30 where the forward's own masks have it. */
const hidden = -1e30;

/**
 * T tokens after C earlier ones, S together: inputs_embeds [1, T, D], the tables and the mask, past_key_values.{i}.key
 * and .value [1, K, C, headDim] -> logits [1, T, V], present.{i}.key and .value [1, K, S, headDim].
 */
export function exportedDecoder(model: ModelDefinition): Graph {
  const { text } = model.config;
  const net = network({ ...model, recompute: false }, false);
  const { graph } = net;
  const x = graph.reshape(graph.input('inputs_embeds', f32([1, 'T', text.hiddenSize])), [
    'T',
    text.hiddenSize,
  ]);
  const states = decoder(net, model.config, x, {
    cos: graph.input('cos', f32(['T', text.headDim / 2])),
    sin: graph.input('sin', f32(['T', text.headDim / 2])),
    mask: graph.input('mask', f32(['T', 'S'])),
    cache: new PortCache(graph, text),
  });
  const logits = nextTokenLogits(net, headWeight(model.config), finalNorm(net, states, model.config));
  graph.output('logits', graph.reshape(logits, [1, 'T', text.vocabSize]));
  return graph.finish();
}

/** Every layer's keys and values come in by ports of their own, and go out with the new ones behind them. */
class PortCache implements KeyValueSource {
  readonly #graph: GraphBuilder;
  readonly #text: Qwen2VLConfig['text'];
  #layer = 0;

  constructor(graph: GraphBuilder, text: Qwen2VLConfig['text']) {
    this.#graph = graph;
    this.#text = text;
  }

  extend({ k, v }: { k: Value; v: Value }): { k: Value; v: Value } {
    const layer = this.#layer++;
    return { k: this.#append(`${layer}.key`, k), v: this.#append(`${layer}.value`, v) };
  }

  #append(port: string, fresh: Value): Value {
    const graph = this.#graph;
    const { kvHeads, headDim } = this.#text;
    const past = graph.input(`past_key_values.${port}`, f32([1, kvHeads, 'C', headDim]));
    const rows = graph.transpose(graph.reshape(past, [kvHeads, 'C', headDim]), [1, 0, 2]);
    const seen = graph.concat([graph.reshape(rows, ['C', kvHeads * headDim]), fresh], 0, 'S');
    const heads = graph.transpose(graph.reshape(seen, ['S', kvHeads, headDim]), [1, 0, 2]);
    graph.output(`present.${port}`, graph.reshape(heads, [1, kvHeads, 'S', headDim]));
    return seen;
  }
}

/** attention_mask [1, S] and position_ids [3, 1, T], both i64, to what the decoder's graph asks for. */
export function decoderPorts({ text }: Qwen2VLConfig): { before: OnnxNodes; inputs: OnnxPort[] } {
  const before = new OnnxNodes('before.');
  const indices = before.op('Reshape', [before.cast('position_ids', 'f32'), before.i64([2], [3, -1])]);
  const frequencies = inverseFrequencies(text.headDim, text.ropeTheta);
  const axisOf = text.mropeSection.flatMap((length, axis) => new Array<number>(length).fill(axis));
  const rows = before.op('Transpose', [indices], { perm: [1, 0] });
  rotaryTables(before, rows, { axes: 3, frequencies, axisOf }, ['cos', 'sin']);
  const seen = before.length('attention_mask', 1);
  const first = before.op('Sub', [seen, before.length('inputs_embeds', 1)]);
  const one = before.i64([], [1]);
  const keys = before.op('Range', [before.i64([], [0]), seen, one]); // [S]
  const queries = before.op('Unsqueeze', [before.op('Range', [first, seen, one]), before.i64([1], [1])]); // [T, 1]
  const isEarlier = before.op('LessOrEqual', [keys, queries]);
  maskWhere(before, before.op('And', [isEarlier, before.cast('attention_mask', 'bool')]), 'mask');
  return {
    before,
    inputs: [
      { name: 'attention_mask', type: 'i64', dims: [1, 'S'] },
      { name: 'position_ids', type: 'i64', dims: [3, 1, 'T'] },
    ],
  };
}

/** pixel_values [P, patch] of n images and their grid_thw [n, 3] (i64) -> image_features [M, D]. */
export function exportedVision(model: ModelDefinition): Graph {
  return visionGraph(model, { several: true });
}

/** From grid_thw to the tower's tables and the mask that keeps images and frames apart. */
export function visionPorts({ vision }: Qwen2VLConfig): { before: OnnxNodes; inputs: OnnxPort[] } {
  const before = new OnnxNodes('before.');
  const place = patchPlaces(before, vision.spatialMergeSize);
  const quarter = inverseFrequencies(vision.headDim / 2, vision.ropeTheta);
  const axisOf = [...new Array(quarter.length).fill(0), ...new Array(quarter.length).fill(1)];
  const frequencies = [...quarter, ...quarter];
  rotaryTables(before, place.positions, { axes: 2, frequencies, axisOf }, ['visionCos', 'visionSin']);
  const [rows, columns] = [1, 0].map((axis) =>
    before.op('Unsqueeze', [place.segment, before.i64([1], [axis])]),
  );
  maskWhere(before, before.op('Equal', [rows, columns]), 'visionMask');
  return { before, inputs: [{ name: 'grid_thw', type: 'i64', dims: ['n', 3] }] };
}

/**
 * Row and column [P, 2] (f32) of each patch on its grid and the number [P] of its frame among those of all images. The
 * order of patches is that of `patchPositions`: frame by frame, merge by merge, row by row.
 */
function patchPlaces(before: OnnxNodes, mergeSize: number): { positions: string; segment: string } {
  const integer = (value: number) => before.i64([], [value]);
  const [frames, rows, columns] = [0, 1, 2].map((axis) =>
    before.op('Gather', ['grid_thw', integer(axis)], { axis: 1 }),
  );
  const perFrame = before.op('Mul', [rows, columns]);
  const counts = before.op('Mul', [frames, perFrame]);
  const ends = before.op('CumSum', [counts, integer(0)]);
  const patch = before.op('Range', [integer(0), before.length('patches', 0), integer(1)]);
  const column = before.op('Unsqueeze', [patch, before.i64([1], [1])]);
  const passed = before.cast(before.op('GreaterOrEqual', [column, ends]), 'i64'); // [P, n]
  const image = before.op('ReduceSum', [passed, before.i64([1], [1])], { keepdims: 0 });
  const ofImage = (values: string) => before.op('Gather', [values, image], { axis: 0 });
  const within = before.op('Sub', [patch, ofImage(before.op('Sub', [ends, counts]))]);
  const [frame, inFrame] = divide(before, within, ofImage(perFrame));
  const [merge, inMerge] = divide(before, inFrame, integer(mergeSize ** 2));
  const [mergeRow, mergeColumn] = divide(
    before,
    merge,
    before.op('Div', [ofImage(columns), integer(mergeSize)]),
  );
  const [inRow, inColumn] = divide(before, inMerge, integer(mergeSize));
  const positions = [
    [mergeRow, inRow],
    [mergeColumn, inColumn],
  ].map(([outer, inner]) =>
    before.op('Unsqueeze', [
      before.op('Add', [before.op('Mul', [outer, integer(mergeSize)]), inner]),
      before.i64([1], [1]),
    ]),
  );
  const earlier = before.op('Sub', [before.op('CumSum', [frames, integer(0)]), frames]);
  return {
    positions: before.cast(before.op('Concat', positions, { axis: 1 }), 'f32'),
    segment: before.op('Add', [ofImage(earlier), frame]),
  };
}

/** Quotient and rest of what is not negative. */
function divide(before: OnnxNodes, value: string, by: string): [quotient: string, rest: string] {
  const quotient = before.op('Div', [value, by]);
  return [quotient, before.op('Sub', [value, before.op('Mul', [quotient, by])])];
}

/** positions [rows, axes] times a frequency each: column j turns with axis axisOf[j] alone, so every sum has one term. */
function rotaryTables(
  before: OnnxNodes,
  positions: string,
  { axes, frequencies, axisOf }: { axes: number; frequencies: ArrayLike<number>; axisOf: readonly number[] },
  [cos, sin]: [string, string],
): void {
  const factors = Array.from({ length: axes }, (_, axis) =>
    axisOf.map((own, j) => (own === axis ? frequencies[j] : 0)),
  );
  const angles = before.op('MatMul', [positions, before.f32([axes, axisOf.length], factors.flat())]);
  before.op('Cos', [angles], {}, cos);
  before.op('Sin', [angles], {}, sin);
}

function maskWhere(before: OnnxNodes, seen: string, name: string): void {
  before.op('Where', [seen, before.f32([], [0]), before.f32([], [hidden])], {}, name);
}

/**
 * preprocessor_config.json with every word said: transformers.js leaves out a step that the file does not name, where
 * transformers does it.
 */
export function spelledProcessor(settings: ProcessorSettings): JsonObject {
  return {
    image_processor_type: 'Qwen2VLImageProcessor',
    processor_class: 'Qwen2VLProcessor',
    do_convert_rgb: true,
    do_resize: true,
    do_rescale: true,
    do_normalize: true,
    resample: 3,
    rescale_factor: settings.rescaleFactor,
    image_mean: [...settings.mean],
    image_std: [...settings.std],
    min_pixels: settings.minPixels,
    max_pixels: settings.maxPixels,
    patch_size: settings.patchSize,
    temporal_patch_size: settings.temporalPatchSize,
    merge_size: settings.mergeSize,
  };
}

/** What the emitted graph takes and gives under its own names, under those of transformers.js. */
export const visionNames: Record<string, string> = {
  patches: 'pixel_values',
  [imageEmbeddings]: 'image_features',
};

/** input_ids [1, T] (i64) -> inputs_embeds [1, T, D]: rows of the table, which may be stored in halves. */
export function embedTokensModel(
  { text }: Qwen2VLConfig,
  table: { name: string; type: 'f32' | 'f16' },
): Omit<OnnxModel, 'initializers'> {
  const node = (
    op: string,
    inputs: string[],
    output: string,
    attributes: OnnxNode['attributes'],
  ): OnnxNode => ({
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  const isHalf = table.type === 'f16';
  const rows = node('Gather', [table.name, 'input_ids'], isHalf ? 'rows' : 'inputs_embeds', { axis: 0 });
  return {
    nodes: isHalf ? [rows, node('Cast', ['rows'], 'inputs_embeds', { to: 1 })] : [rows],
    inputs: [{ name: 'input_ids', type: 'i64', dims: ['B', 'T'] }],
    outputs: [{ name: 'inputs_embeds', type: 'f32', dims: ['B', 'T', text.hiddenSize] }],
  };
}
