/** A checkpoint folder in Hugging Face layout: one safetensors file, or shards with their index. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { listFolder } from './atomic.ts';
import { isObject, type Json, readJsonObject } from './json.ts';
import { readSafetensorsHeader, type TensorLocation } from './safetensors.ts';

export const singleFile = 'model.safetensors';
export const indexFile = 'model.safetensors.index.json';
const shardLimit = 10_000;

/** File in the folder -> where each of its tensors is, by its stored name. */
export type Shards = Map<string, Map<string, TensorLocation>>;

/**
 * Where each tensor of the folder is, by its stored name. Links, as the hub's cache makes them, are resolved.
 * Throws `checkpoint` errors for a folder without safetensors and for an index that its shards contradict.
 */
export async function openCheckpointFolder(dir: string): Promise<Map<string, TensorLocation>> {
  return allTensors(await openShards(dir));
}

/** The same file by file, under the names that the files have in the folder. */
export async function openShards(dir: string): Promise<Shards> {
  await checkModelFolder(dir);
  const names = await listFolder(dir);
  // The reference prefers the single file where both are present.
  if (names.includes(singleFile)) {
    return new Map([[singleFile, (await readSafetensorsHeader(path.join(dir, singleFile))).tensors]]);
  }
  if (names.includes(indexFile)) return openIndexed(dir, path.join(dir, indexFile));
  return refuseFolder(dir, names);
}

/** Whether there are weights at all, in whatever form: a tokenizer and its config.json can stand alone. */
export async function holdsWeights(dir: string): Promise<boolean> {
  return (await listFolder(dir)).some((name) =>
    /\.(safetensors|bin|pth|pt|gguf)(\.index\.json)?$/.test(name),
  );
}

export function allTensors(shards: Shards): Map<string, TensorLocation> {
  return new Map([...shards.values()].flatMap((tensors) => [...tensors]));
}

/** Throws a `checkpoint` error where `dir` is no folder, or the hub cache's folder around the one that is meant. */
export async function checkModelFolder(dir: string): Promise<void> {
  const status = await stat(dir).catch(() => undefined);
  const refuse = (what: string, fix: string): never => {
    throw new LorikeetError('checkpoint', { file: dir, what, fix });
  };
  if (!status) {
    refuse(
      'model expected a folder with a checkpoint in Hugging Face layout, found no such folder',
      'Correct the path; a model of the hub is fetched once with: lorikeet pull ORG/NAME.',
    );
  }
  if (!status?.isDirectory()) {
    refuse('model expected a folder in Hugging Face layout, got a file', 'Name the folder that it is in.');
  }
  const names = await listFolder(dir);
  if (!names.includes('snapshots') || names.includes('config.json')) return;
  const [snapshot = 'HASH'] = await listFolder(path.join(dir, 'snapshots'));
  refuse(
    "model expected a folder with config.json, got the hub cache's folder around it",
    `Name its snapshot: ${path.join(dir, 'snapshots', snapshot)}.`,
  );
}

function refuseFolder(dir: string, names: string[]): never {
  const refuse = (what: string, fix: string): never => {
    throw new LorikeetError('checkpoint', { file: dir, what, fix });
  };
  if (names.includes('adapter_model.safetensors')) {
    refuse(
      'holds an adapter, not a model',
      'Name it under "adapter" and the base it was trained on under "model".',
    );
  }
  if (names.some((name) => /^(pytorch_model.*|consolidated.*)\.(bin|pth|pt)$/.test(name))) {
    refuse(
      'holds weights as pickled .bin files only; safetensors is needed',
      'Pickles can run code when read. Save the model again with save_pretrained(dir, safe_serialization=True), or fetch its safetensors files.',
    );
  }
  const shard = names.find((name) => /^model-\d+-of-\d+\.safetensors$/.test(name));
  if (shard)
    refuse(
      `holds ${shard} but no ${indexFile}`,
      `Fetch ${indexFile}; it says which shard holds which tensor.`,
    );
  return refuse(
    `expected ${singleFile} or ${indexFile}, found ${names.length === 0 ? 'an empty folder' : 'neither'}`,
    'Name the folder that holds the weights.',
  );
}

async function openIndexed(dir: string, index: string): Promise<Shards> {
  const { weight_map: weightMap } = await readJsonObject(index, 'checkpoint');
  const shards: Shards = new Map();
  for (const [shard, promised] of shardsOf(index, weightMap)) {
    shards.set(shard, await openShard(dir, index, shard, promised));
  }
  return shards;
}

/** Shard file -> the tensors that the index promises there. */
function shardsOf(index: string, weightMap: Json | undefined): Map<string, Set<string>> {
  const refuse = (what: string, tensor?: string): never => {
    throw new LorikeetError('checkpoint', {
      file: index,
      tensor,
      what,
      fix: 'The index is damaged or not one; get it again.',
    });
  };
  if (!isObject(weightMap)) return refuse('weight_map expected an object of tensor name to shard file');
  const shards = new Map<string, Set<string>>();
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string') return refuse('shard expected a file name', tensor);
    if (!isPlainName(shard)) {
      return refuse(
        `shard expected the name of a .safetensors file in this folder, got ${JSON.stringify(shard)}`,
        tensor,
      );
    }
    const promised = shards.get(shard) ?? new Set();
    shards.set(shard, promised.add(tensor));
  }
  if (shards.size === 0) refuse('weight_map expected at least one tensor, got none');
  if (shards.size > shardLimit) refuse(`expected at most ${shardLimit} shards, got ${shards.size}`);
  return shards;
}

function isPlainName(name: string): boolean {
  return name.length <= 255 && /^[^/\\:\0]+\.safetensors$/.test(name) && !name.startsWith('.');
}

async function openShard(
  dir: string,
  index: string,
  shard: string,
  promised: Set<string>,
): Promise<Map<string, TensorLocation>> {
  const file = path.join(dir, shard);
  const there = await stat(file).catch(() => undefined);
  if (!there) {
    throw new LorikeetError('checkpoint', {
      file: index,
      what: `names the shard ${shard}, which is not in the folder`,
      fix: `Fetch ${shard} too; ${promised.size} tensors stand in it.`,
    });
  }
  const { tensors } = await readSafetensorsHeader(file);
  for (const name of promised) {
    if (!tensors.has(name)) mismatch(file, name, `is promised by ${path.basename(index)} but missing here`);
  }
  for (const name of tensors.keys()) {
    if (!promised.has(name))
      mismatch(file, name, `stands here but ${path.basename(index)} does not place it here`);
  }
  return tensors;
}

function mismatch(file: string, tensor: string, what: string): never {
  throw new LorikeetError('checkpoint', {
    file,
    tensor,
    what,
    fix: 'Index and shards are of different saves; get all of them from one place.',
  });
}
