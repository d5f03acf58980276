/**
 * LoRA adapters as PEFT keeps them: adapter_config.json and adapter_model.safetensors. Keys are
 * `base_model.model.` + the module's name in the model + `.lora_A.weight` ([R, in]) or `.lora_B.weight` ([out, R]).
 */
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ErrorPlace, LorikeetError } from '../errors.ts';
import { listFolder, writeFolderAtomically } from '../formats/atomic.ts';
import {
  readSafetensorsHeader,
  readTensor,
  type TensorLocation,
  writeSafetensors,
} from '../formats/safetensors.ts';
import { isNamedBy, type LinearModule, type LoraTargets, suffixesFor } from '../nn/lora-targets.ts';
import {
  type AdapterConfig,
  configName,
  encodeAdapterConfig,
  readAdapterConfig,
  type StoredConfig,
} from './peft-config.ts';

export type { AdapterConfig } from './peft-config.ts';

export const weightsName = 'adapter_model.safetensors';
export const keyPrefix = 'base_model.model.';

export interface AdapterTensor {
  shape: number[];
  values: Float32Array<ArrayBuffer>;
}

export interface Adapter {
  config: AdapterConfig;
  /** By the model's own name: `model.language_model.layers.0.self_attn.q_proj.lora_A.weight`. */
  tensors: Map<string, AdapterTensor>;
}

/** What an adapter is written from. Its modules are those that have tensors. */
export interface AdapterToWrite {
  config: Omit<AdapterConfig, 'targetModules'>;
  tensors: ReadonlyMap<string, { shape: readonly number[]; values: Float32Array }>;
}

function refuse(what: string, fix: string, place: ErrorPlace = {}): never {
  throw new LorikeetError('adapter', { ...place, what, fix });
}

/**
 * Writes a folder that is either whole or as it was before; an adapter that stands there is replaced, anything else
 * is refused. `targets` are those of the model (`loraTargets`). Throws `adapter` errors.
 */
export async function writeAdapter(
  dir: string,
  adapter: AdapterToWrite,
  targets: LoraTargets,
): Promise<void> {
  const names = new Map([...adapter.tensors].map(([name, { shape }]) => [name, [...shape]]));
  const modules = pairedModules(names, adapter.config.rank, targets.modules, dir);
  const there = await listFolder(dir);
  if (there.length > 0 && !there.includes(configName)) {
    refuse('holds something else than an adapter', 'Name an empty folder or one that may be replaced.', {
      file: dir,
    });
  }
  const suffixes = suffixesFor(
    modules.map(({ name }) => name),
    targets.moduleNames,
  );
  const tensors = [...adapter.tensors].map(([name, { shape, values }]) => ({
    name: keyPrefix + name,
    dtype: 'f32' as const,
    shape,
    data: values,
  }));
  try {
    await writeFolderAtomically(dir, async (folder) => {
      await writeSafetensors(path.join(folder, weightsName), tensors, { format: 'pt' });
      await writeFile(path.join(folder, configName), encodeAdapterConfig(adapter.config, suffixes), {
        flush: true,
      });
    });
  } catch (cause) {
    const fix = 'Check that the folder can be written and the disk is not full.';
    const what =
      cause instanceof LorikeetError ? cause.what : `could not be written: ${(cause as Error).message}`;
    throw new LorikeetError('adapter', { file: dir, what, fix, cause });
  }
}

/** An adapter that fits a model, its tensors still on disk. */
export interface OpenAdapter {
  config: AdapterConfig;
  /** adapter_model.safetensors */
  file: string;
  /** By the model's own name, as in `Adapter`. */
  locations: Map<string, TensorLocation>;
}

/**
 * Opens an adapter for the model of `targets`, of either generation of PEFT keys. Throws `adapter` errors where a
 * tensor is left over, a pair is incomplete, a shape does not fit, or the adapter is of a kind we do not have.
 */
export async function openAdapter(dir: string, targets: LoraTargets): Promise<OpenAdapter> {
  const file = await adapterFile(dir);
  const { targets: promised, ...config } = await readAdapterConfig(dir);
  const locations = locate(await adapterHeader(file), targets.canonicalName, file);
  const shapes = new Map([...locations].map(([name, { shape }]) => [name, shape]));
  const modules = pairedModules(shapes, config.rank, targets.modules, file);
  checkPromised(promised, modules, targets.modules, file);
  return { config: { ...config, targetModules: modules.map(({ name }) => name) }, file, locations };
}

/** Opens an adapter as `openAdapter` does and reads all of it; values that are not finite are refused too. */
export async function readAdapter(dir: string, targets: LoraTargets): Promise<Adapter> {
  const { config, file, locations } = await openAdapter(dir, targets);
  const tensors = new Map<string, AdapterTensor>();
  for (const [name, location] of locations) {
    tensors.set(name, { shape: location.shape, values: await readFinite(file, name, location) });
  }
  return { config, tensors };
}

/** One tensor of an adapter; values that are not finite are refused. */
export async function readFinite(
  file: string,
  tensor: string,
  location: TensorLocation,
): Promise<Float32Array<ArrayBuffer>> {
  const values = await readAdapterTensor(location);
  if (values.every(Number.isFinite)) return values;
  return refuse('holds values that are not finite', 'Its training went wrong; use an earlier adapter.', {
    file,
    tensor,
  });
}

export const readAdapterTensor = (location: TensorLocation) => inAdapterWords(() => readTensor(location));

/** The file of the weights; throws an `adapter` error for a folder that holds no adapter, or one that is pickled. */
export async function adapterFile(dir: string): Promise<string> {
  const status = await stat(dir).catch(() => undefined);
  if (!status?.isDirectory()) {
    refuse('expected a folder with an adapter, found no such folder', 'Check "adapter".', { file: dir });
  }
  const names = await listFolder(dir);
  if (!names.includes(configName)) {
    refuse(`holds no ${configName}`, whereAdapterIs(names), { file: dir });
  }
  if (!names.includes(weightsName)) {
    const fix = names.includes('adapter_model.bin')
      ? 'Pickles can run code when read: load it in PEFT and save it again with safe_serialization=True.'
      : `Fetch ${weightsName}; it holds the weights.`;
    refuse(`holds no ${weightsName}`, fix, { file: dir });
  }
  return path.join(dir, weightsName);
}

function whereAdapterIs(names: readonly string[]): string {
  if (names.some((name) => /^model.*\.safetensors/.test(name)))
    return 'It holds a model: name it under "model".';
  const inside = ['best', 'adapter'].filter((name) => names.includes(name));
  if (names.includes('run.json') && inside.length > 0)
    return `It is the folder of a run: name ${inside.map((name) => `${name}/`).join(' or ')} in it.`;
  return 'Name the folder that PEFT or Lorikeet wrote.';
}

/** Where its tensors are, by their stored keys. */
export const adapterHeader = (file: string) =>
  inAdapterWords(async () => (await readSafetensorsHeader(file)).tensors);

/** The reader of safetensors speaks of checkpoints; here the file is an adapter. */
async function inAdapterWords<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof LorikeetError)) throw cause;
    throw new LorikeetError('adapter', { ...cause.place, what: cause.what, fix: cause.fix, cause });
  }
}

/** Stored keys under the model's own names: prefix and `.default` off, old stems replaced. */
function locate(
  stored: Map<string, TensorLocation>,
  canonicalName: LoraTargets['canonicalName'],
  file: string,
): Map<string, TensorLocation> {
  const found = new Map<string, TensorLocation>();
  for (const [key, location] of stored) {
    const plain = key.replace(/\.lora_([AB])\.default\.weight$/, '.lora_$1.weight');
    // A key without the prefix is none of PEFT's and is left over under its own name.
    const name = plain.startsWith(keyPrefix) ? canonicalName(plain.slice(keyPrefix.length)) : `?${key}`;
    if (found.has(name)) {
      refuse(`stands under two names (${name})`, 'Two saves were mixed; keep one.', { file, tensor: key });
    }
    found.set(name, location);
  }
  return found;
}

/** The modules that the tensors belong to, in the order of the model, every one with A and B of the right shape. */
function pairedModules(
  shapes: ReadonlyMap<string, number[]>,
  rank: number,
  modules: readonly LinearModule[],
  file: string,
): LinearModule[] {
  const left = new Set(shapes.keys());
  const found = modules.filter((module) => {
    const expected: [string, number[]][] = [
      [`${module.name}.lora_A.weight`, [rank, module.inFeatures]],
      [`${module.name}.lora_B.weight`, [module.outFeatures, rank]],
    ];
    const present = expected.filter(([name]) => left.delete(name)).length;
    if (present === 0) return false;
    for (const [tensor, shape] of expected) checkShape(tensor, shape, shapes.get(tensor), file);
    return true;
  });
  if (left.size > 0) refuseLeftOver([...left], file);
  if (found.length === 0)
    refuse('holds no LoRA tensor', 'Nothing was trained, or the file is another one.', { file });
  return found;
}

function checkShape(tensor: string, expected: number[], found: number[] | undefined, file: string): void {
  if (!found) {
    refuse('is missing while its other half is there', 'The file is incomplete; get it again.', {
      file,
      tensor,
    });
  }
  if (found.join() !== expected.join()) {
    const what = `expected [${expected.join(', ')}] (rank and sizes of the model), got [${found.join(', ')}]`;
    refuse(what, 'The adapter is of another model, or its config of another adapter.', { file, tensor });
  }
}

function refuseLeftOver(names: string[], file: string): never {
  const shown = names
    .slice(0, 5)
    .map((name) => name.replace('?', ''))
    .join(', ');
  const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
  const isOther = names.some((name) =>
    /lora_(embedding|magnitude)|patch_embed|lm_head|embed_tokens|norm/.test(name),
  );
  refuse(
    `${names.length} tensors belong to no linear layer of the model: ${shown}${more}`,
    isOther
      ? 'LoRA acts on the linear layers of decoder, vision tower and merger; other targets are not supported.'
      : 'The adapter is of another model: name the base it was trained on under "model".',
    { file },
  );
}

/** PEFT would start a promised module without tensors afresh and say little; the file is then not the whole adapter. */
function checkPromised(
  promised: StoredConfig['targets'],
  found: readonly LinearModule[],
  modules: readonly LinearModule[],
  file: string,
): void {
  if (!promised) return;
  const present = new Set(found);
  const missing = modules.find(
    (module) => !present.has(module) && promised.some((entry) => isNamedBy(module.name, entry)),
  );
  if (missing) {
    const fix = 'The file is incomplete or of another adapter; get it again.';
    refuse(`${configName} targets ${missing.name}, but the file has no tensors for it`, fix, { file });
  }
}
