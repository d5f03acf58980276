/** The tensors of a checkpoint: trained parameters and the optimizer's moments, in the f32 that they are trained in. */
import { join } from 'node:path';
import { LorikeetError } from '../../errors.ts';
import {
  readSafetensorsHeader,
  readTensor,
  type TensorLocation,
  writeSafetensors,
} from '../../formats/safetensors.ts';
import type { AdamWState } from '../../optim/adamw.ts';
import type { Trainable } from '../step.ts';
import type { CheckpointState } from './state-file.ts';

const parametersName = 'parameters.safetensors';
const momentsName = 'optimizer.safetensors';

const firstOf = (name: string) => `first.${name}`;
const secondOf = (name: string) => `second.${name}`;

export async function writeTensors(
  folder: string,
  trainables: readonly Trainable[],
  { moments }: AdamWState,
): Promise<void> {
  const tensor = (name: string, shape: number[], data: Float32Array) => ({
    name,
    dtype: 'f32' as const,
    shape,
    data,
  });
  const parameters = trainables.map(({ name, shape, values }) => tensor(name, shape, values));
  const held = trainables.flatMap(({ name, shape }) => {
    const found = moments.get(name);
    return found ? [tensor(firstOf(name), shape, found.m), tensor(secondOf(name), shape, found.v)] : [];
  });
  await writeSafetensors(join(folder, parametersName), parameters);
  await writeSafetensors(join(folder, momentsName), held);
}

/**
 * Puts the parameters' values in place and gives the optimizer as it was.
 *
 * @throws LorikeetError 'run' where a tensor is missing or of another shape; no parameter is changed then.
 */
export async function readTensors(
  folder: string,
  trainables: readonly Trainable[],
  { optimizer }: CheckpointState,
): Promise<AdamWState> {
  const { steps, ...settings } = optimizer;
  const stored = await tensorsOf(join(folder, parametersName));
  const held = await tensorsOf(join(folder, momentsName));
  const known = new Set(trainables.map(({ name }) => name));
  const strange = [...Object.keys(steps), ...stored.keys()].find((name) => !known.has(name));
  if (strange !== undefined) refuse(folder, strange, 'belongs to no trained parameter');
  const values = new Map<Trainable, Float32Array>();
  const moments: AdamWState['moments'] = new Map();
  for (const trainable of trainables) {
    const { name } = trainable;
    values.set(trainable, await read(stored, name, trainable, folder));
    if (!Object.hasOwn(steps, name)) continue;
    const m = await read(held, firstOf(name), trainable, folder);
    const v = await read(held, secondOf(name), trainable, folder);
    moments.set(name, { step: steps[name], m, v });
  }
  for (const [trainable, stored] of values) trainable.values.set(stored);
  return { ...settings, moments };
}

async function tensorsOf(file: string): Promise<Map<string, TensorLocation>> {
  return (await readSafetensorsHeader(file)).tensors;
}

async function read(
  tensors: ReadonlyMap<string, TensorLocation>,
  name: string,
  { shape }: Trainable,
  folder: string,
): Promise<Float32Array<ArrayBuffer>> {
  const location = tensors.get(name);
  if (!location) return refuse(folder, name, 'is missing');
  if (location.dtype !== 'f32' || location.shape.join() !== shape.join()) {
    refuse(
      folder,
      name,
      `expected f32 [${shape.join(', ')}], got ${location.dtype} [${location.shape.join(', ')}]`,
    );
  }
  return readTensor(location);
}

function refuse(file: string, tensor: string, what: string): never {
  throw new LorikeetError('run', { file, tensor, what, fix: 'This checkpoint is of another run.' });
}
