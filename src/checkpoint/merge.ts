/**
 * Base + adapter as a model of its own, in the base's layout. Tensors pass through memory block by block, so that a
 * model needs its size on disk and not in memory; the folder appears whole or not at all.
 */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { indexFile, openShards, singleFile } from '../formats/checkpoint-folder.ts';
import { readJsonObject } from '../formats/json.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { modelFolder } from '../hub/model-folder.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { loraTargets, openModelWeights } from '../models/qwen2-vl/weights.ts';
import { checkDType, copyCompanions, type StoredDType } from './companions.ts';
import { type PlannedFile, planFiles, totalBytes } from './merge-plan.ts';
import { type Pace, startPace } from './merge-progress.ts';
import { type MergeProgress, type MergeReport, reportOf } from './merge-report.ts';
import type { RoundingTally } from './merge-tensor.ts';
import { adapterBytes, blocksOf, checkValues } from './merge-updates.ts';
import { createChecksum, verifyFiles } from './merge-verify.ts';
import { checkFreeSpace, checkOutput, companionBytes, writeOutput } from './output-folder.ts';
import { type OpenAdapter, openAdapter } from './peft.ts';

export interface MergeOptions {
  /** The base, a folder in Hugging Face layout. */
  model: string;
  /** The adapter, a folder as PEFT or Lorikeet writes it. */
  adapter: string;
  output: string;
  /** What the weights are stored as; `same`, the default, keeps what each tensor of the base has. */
  dtype?: 'same' | StoredDType;
  /** Bytes of tensors in a file at most. The base's own files are kept where this is not given. */
  maxShardSize?: number;
  /** Replace a model that stands in the output folder. */
  overwrite?: boolean;
  /** Ends the merge; the promise is then rejected with the signal's reason, and nothing is left. */
  signal?: AbortSignal;
  onProgress?: (progress: MergeProgress) => void;
}

/**
 * Writes the merged model. Throws `adapter` errors for an adapter that does not fit the base in every tensor,
 * `checkpoint` errors for base, output folder and disk.
 */
export async function merge(given: MergeOptions): Promise<MergeReport> {
  const started = performance.now();
  const options = { ...given, model: modelFolder(given.model, process.cwd()) };
  const { model, output, overwrite = false, signal } = options;
  checkDType(options.dtype ?? 'same', ['same', 'f32', 'f16', 'bf16']);
  await checkOutput({ dir: output, overwrite, sources: { model, adapter: options.adapter } });
  const job = await prepare(options);
  await checkFreeSpace(output, job.bytes + headerBytes(job.files) + (await companionBytes(model)));
  const pace = startPace(adapterBytes(job.adapter) + 2 * job.bytes, options.onProgress, signal);
  await checkValues(job.adapter, pace);
  const tallies = new Map<string, RoundingTally>();
  await writeOutput(output, (folder) => fill(folder, job, { options, pace, tallies }), signal);
  return {
    ...reportOf(job.files, job.adapter.config.targetModules, tallies),
    output,
    seconds: (performance.now() - started) / 1000,
  };
}

interface Job {
  config: Qwen2VLConfig;
  files: PlannedFile[];
  /** Of all tensors. */
  bytes: number;
  adapter: OpenAdapter;
}

async function prepare({ model, adapter, dtype = 'same', maxShardSize }: MergeOptions): Promise<Job> {
  const config = await loadModelConfig(model);
  await openModelWeights(model, config); // throws where the base is not whole
  const files = planFiles(await openShards(model), { dtype, maxShardSize });
  return {
    config,
    files,
    bytes: totalBytes(files),
    adapter: await openAdapter(adapter, loraTargets(config)),
  };
}

/** Headers of the files and the index, generously. */
const headerBytes = (files: readonly PlannedFile[]): number =>
  2 ** 16 + 512 * files.flatMap(({ tensors }) => tensors).length;

interface Writing {
  options: MergeOptions;
  pace: Pace;
  /** By module, filled as the modules are merged. */
  tallies: Map<string, RoundingTally>;
}

async function fill(folder: string, job: Job, writing: Writing): Promise<void> {
  const { options, pace } = writing;
  const checksums = new Map<string, number>();
  for (const { name, tensors } of job.files) {
    const toWrite = tensors.map((tensor) => ({
      name: tensor.name,
      dtype: tensor.dtype,
      shape: tensor.base.shape,
      data: async function* () {
        const checksum = createChecksum();
        for await (const block of blocksOf(tensor, job.adapter, writing.tallies)) {
          pace.pass('write', block.byteLength);
          checksum.add(block);
          yield block;
        }
        checksums.set(tensor.name, checksum.value());
      },
    }));
    await writeSafetensors(path.join(folder, name), toWrite, { format: 'pt' });
  }
  if (job.files.length > 1 || job.files[0].name !== singleFile) await writeIndex(folder, job, options.model);
  const changed = options.dtype === undefined || options.dtype === 'same' ? undefined : options.dtype;
  await copyCompanions(options.model, folder, changed);
  await verifyFiles(folder, job.files, checksums, pace);
}

async function writeIndex(folder: string, { files, bytes }: Job, model: string): Promise<void> {
  const known = await readJsonObject(path.join(model, indexFile), 'checkpoint').catch(() => undefined);
  const parameters = (known?.metadata as { total_parameters?: unknown } | undefined)?.total_parameters;
  const index = {
    metadata: { ...(parameters !== undefined && { total_parameters: parameters }), total_size: bytes },
    weight_map: Object.fromEntries(
      files.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor.name, name])),
    ),
  };
  await writeFile(path.join(folder, indexFile), `${JSON.stringify(index, null, 2)}\n`, { flush: true });
}
