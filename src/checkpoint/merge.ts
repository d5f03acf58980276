/**
 * Base + adapter as a model of its own, in the base's layout. Tensors pass through memory block by block, so that a
 * model needs its size on disk and not in memory; the folder appears whole or not at all.
 */
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { writeFolderAtomically } from '../formats/atomic.ts';
import { indexFile, openShards, singleFile } from '../formats/checkpoint-folder.ts';
import { readJsonObject } from '../formats/json.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { canonicalName, loraTargets, openModelWeights } from '../models/qwen2-vl/weights.ts';
import { loraNames, loraScale } from '../nn/network.ts';
import { companionFiles, copyCompanions, type StoredDType } from './companions.ts';
import type { LowRankUpdate } from './low-rank.ts';
import { type PlannedFile, planFiles, totalBytes } from './merge-plan.ts';
import { type Pace, startPace } from './merge-progress.ts';
import { type MergeProgress, type MergeReport, reportOf } from './merge-report.ts';
import { emptyTally, mergedBlocks, plainBlocks, type RoundingTally } from './merge-tensor.ts';
import { createChecksum, verifyFiles } from './merge-verify.ts';
import { checkFreeSpace, checkOutput } from './output-folder.ts';
import { type OpenAdapter, openAdapter, readFinite } from './peft.ts';

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
export async function merge(options: MergeOptions): Promise<MergeReport> {
  const started = performance.now();
  const { model, output, overwrite = false, signal } = options;
  await checkOutput({ dir: output, overwrite, sources: { model, adapter: options.adapter } });
  const job = await prepare(options);
  await checkFreeSpace(output, job.bytes + (await overhead(model, job.files)));
  const pace = startPace(adapterBytes(job.adapter) + 2 * job.bytes, options.onProgress, signal);
  await checkValues(job.adapter, pace);
  const tallies = new Map<string, RoundingTally>();
  let temporary = output;
  try {
    await writeFolderAtomically(output, (folder) => {
      temporary = folder;
      return fill(folder, job, { options, pace, tallies });
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw unwritable(output, temporary, cause);
  }
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

/** Headers of the files, the index and what is copied, generously. */
async function overhead(model: string, files: readonly PlannedFile[]): Promise<number> {
  const copied = [...(await companionFiles(model)), 'config.json'];
  const sizes = await Promise.all(copied.map(async (name) => (await stat(path.join(model, name))).size));
  const names = files.flatMap(({ tensors }) => tensors).length;
  return sizes.reduce((sum, size) => sum + size, 2 ** 16 + 512 * names);
}

const adapterBytes = ({ locations }: OpenAdapter): number =>
  [...locations.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

async function checkValues({ file, locations }: OpenAdapter, pace: Pace): Promise<void> {
  for (const [name, location] of locations) {
    await readFinite(file, name, location);
    pace.pass('check', location.byteLength);
  }
}

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

async function* blocksOf(
  tensor: PlannedFile['tensors'][number],
  adapter: OpenAdapter,
  tallies: Map<string, RoundingTally>,
): AsyncGenerator<Uint8Array> {
  const module = canonicalName(tensor.name).replace(/\.weight$/, '');
  const update = await readUpdate(adapter, module);
  if (!update) return yield* plainBlocks(tensor);
  const tally = emptyTally();
  tallies.set(module, tally);
  yield* mergedBlocks(tensor, update, tally);
}

/** Nothing for a tensor that the adapter leaves alone, and for a module whose B was never trained. */
async function readUpdate(
  { config, file, locations }: OpenAdapter,
  module: string,
): Promise<LowRankUpdate | undefined> {
  const names = loraNames(module);
  const [a, b] = [locations.get(names.a), locations.get(names.b)];
  if (!a || !b) return undefined;
  const factors = { b: await readFinite(file, names.b, b), rank: config.rank, scale: loraScale(config) };
  if (factors.b.every((value) => value === 0)) return undefined;
  return { ...factors, a: await readFinite(file, names.a, a) };
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

/** What went wrong with the output, which its reader knows under its own name; anything else as it is. */
function unwritable(output: string, temporary: string, cause: unknown): unknown {
  const isOurs = cause instanceof LorikeetError;
  if (isOurs ? !cause.place.file?.startsWith(temporary) : !(cause as NodeJS.ErrnoException).code)
    return cause;
  const reason = isOurs ? cause.what : `could not be written: ${(cause as Error).message}`;
  return new LorikeetError('checkpoint', {
    file: output,
    tensor: isOurs ? cause.place.tensor : undefined,
    what: `${reason}; nothing of it was kept`,
    fix: 'Check that the folder can be written and the disk is not full.',
    cause,
  });
}
