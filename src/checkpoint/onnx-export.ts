/**
 * A model, with an adapter merged into it or without, as the three ONNX graphs that transformers.js loads, and the
 * files beside them. Weights pass through memory block by block, as in a merge.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { listFolder } from '../formats/atomic.ts';
import { isObject, type JsonObject, readJsonObject } from '../formats/json.ts';
import { encodeOnnx, type OnnxModel } from '../formats/onnx.ts';
import { modelFolder } from '../hub/model-folder.ts';
import { loadModelConfig } from '../models/qwen2-vl/config.ts';
import { readSettings } from '../models/qwen2-vl/processor/settings.ts';
import { spelledProcessor } from '../models/qwen2-vl/transformers-js.ts';
import { loraTargets, openModelWeights } from '../models/qwen2-vl/weights.ts';
import { checkDType, copyCompanions } from './companions.ts';
import { browserLimit, ExternalData } from './external-data.ts';
import { totalBytes } from './merge-plan.ts';
import { type Pace, startPace } from './merge-progress.ts';
import { type MergeProgress, type MergeReport, reportOf } from './merge-report.ts';
import type { RoundingTally } from './merge-tensor.ts';
import { adapterBytes, blocksOf, checkValues } from './merge-updates.ts';
import { type ExportedDType, onnxParts, type PlannedInitializer, weightsOf } from './onnx-parts.ts';
import { checkFreeSpace, checkOutput, companionBytes, writeOutput } from './output-folder.ts';
import { type OpenAdapter, openAdapter } from './peft.ts';

export interface OnnxExportOptions {
  /** The base, a folder in Hugging Face layout. */
  model: string;
  /** Merged into the base; without one the base is exported as it is. */
  adapter?: string;
  output: string;
  /** What the weights are stored as. Sums are f32 either way. Default f32. */
  dtype?: ExportedDType;
  /** Bytes of weights in a data file at most; default 2 GB, which browsers can hold. */
  maxFileSize?: number;
  /** Replace a model that stands in the output folder. */
  overwrite?: boolean;
  /** Ends the export; the promise is then rejected with the signal's reason, and nothing is left. */
  signal?: AbortSignal;
  onProgress?: (progress: MergeProgress) => void;
}

interface Part {
  /** Of the graph, with the suffix of the type. */
  file: string;
  model: OnnxModel;
  weights: PlannedInitializer[];
}

/** The suffix of a type in file names, and its name in options, both of transformers.js. */
const suffixes = { f32: '', f16: '_fp16' };
const dtypeNames = { f32: 'fp32', f16: 'fp16' };

/** Writes the exported model. Throws as `merge` does. */
export async function exportOnnx(given: OnnxExportOptions): Promise<MergeReport> {
  const started = performance.now();
  const options = { ...given, model: modelFolder(given.model, process.cwd()) };
  const { model, adapter: adapterDir, output, dtype = 'f32', overwrite = false, signal } = options;
  checkDType(dtype, Object.keys(suffixes));
  const sources = { model, ...(adapterDir !== undefined && { adapter: adapterDir }) };
  await checkOutput({ dir: output, overwrite, sources });
  const config = await loadModelConfig(model);
  const base = await openModelWeights(model, config);
  const processor = await readSettings(model, {});
  const adapter = adapterDir === undefined ? undefined : await openAdapter(adapterDir, loraTargets(config));
  const parts = onnxParts(config, dtype).map((part) => ({
    file: `${part.name}${suffixes[dtype]}.onnx`,
    model: part.model,
    weights: weightsOf(part, base, dtype),
  }));
  const files = parts.map(({ file, weights }) => ({ name: file, tensors: weights }));
  const bytes = totalBytes(files);
  // Each weight begins at a page, and a graph takes a few KB a node.
  const graphs = parts.reduce((sum, part) => sum + 4096 * (part.weights.length + part.model.nodes.length), 0);
  await checkFreeSpace(output, bytes + graphs + (await companionBytes(model)));
  const pace = startPace((adapter ? adapterBytes(adapter) : 0) + 2 * bytes, options.onProgress, signal);
  if (adapter) await checkValues(adapter, pace);
  const tallies = new Map<string, RoundingTally>();
  await writeOutput(
    output,
    async (folder) => {
      const chunks = await writeParts(path.join(folder, 'onnx'), parts, {
        adapter,
        tallies,
        pace,
        maxFileSize: options.maxFileSize ?? browserLimit,
      });
      await copyCompanions(model, folder);
      const json = exportedConfig(await readJsonObject(path.join(model, 'config.json'), 'checkpoint'));
      const words = { dtype: dtypeNames[dtype], use_external_data_format: chunks };
      await writeJson(path.join(folder, 'config.json'), { ...json, 'transformers.js_config': words });
      await writeJson(path.join(folder, 'preprocessor_config.json'), spelledProcessor(processor));
      // Without one, transformers.js asks the hub for it and does not know where an answer ends.
      const generation = path.join(folder, 'generation_config.json');
      if (!(await listFolder(folder)).includes('generation_config.json'))
        await writeJson(generation, { eos_token_id: config.eosTokenIds });
    },
    signal,
  );
  const report = reportOf(files, adapter?.config.targetModules ?? [], tallies);
  return { ...report, output, seconds: (performance.now() - started) / 1000 };
}

interface Writing {
  adapter?: OpenAdapter;
  tallies: Map<string, RoundingTally>;
  pace: Pace;
  maxFileSize: number;
}

/** Gives the number of data files of each graph. */
async function writeParts(
  folder: string,
  parts: readonly Part[],
  writing: Writing,
): Promise<Record<string, number>> {
  await mkdir(folder);
  const chunks: Record<string, number> = {};
  for (const part of parts) chunks[part.file] = await writePart(folder, part, writing);
  return chunks;
}

async function writePart(
  folder: string,
  { file, model, weights }: Part,
  { adapter, tallies, pace, maxFileSize }: Writing,
): Promise<number> {
  const data = new ExternalData(folder, file, maxFileSize);
  try {
    const places = new Map();
    for (const weight of weights) {
      const blocks = counted(blocksOf(weight, adapter, tallies), pace);
      places.set(weight.initializer, await data.add(weight.byteLength, blocks));
    }
    const initializers = model.initializers.map((initializer) => ({
      ...initializer,
      data: places.get(initializer) ?? initializer.data,
    }));
    await writeFile(path.join(folder, file), encodeOnnx({ ...model, initializers }), { flush: true });
  } finally {
    await data.close();
  }
  await data.verify((bytes) => pace.pass('verify', bytes));
  return data.files;
}

async function* counted(blocks: AsyncIterable<Uint8Array>, pace: Pace): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    pace.pass('write', block.byteLength);
    yield block;
  }
}

const writeJson = (file: string, json: JsonObject) =>
  writeFile(file, `${JSON.stringify(json, null, 2)}\n`, { flush: true });

/** transformers.js reads the decoder's sizes beside model_type, where the hub's files have them. */
function exportedConfig(json: JsonObject): JsonObject {
  const { text_config: text, ...top } = json;
  return isObject(text) ? { ...text, ...top } : json;
}
