/** Whole models in Hugging Face layout, written from parameters that were trained whole. */
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { listFolder, writeFolderAtomically } from '../formats/atomic.ts';
import { type TensorToWrite, writeSafetensors } from '../formats/safetensors.ts';
import { copyCompanions, type StoredDType } from './companions.ts';

export interface FullCheckpoint {
  /** Folder whose config.json, tokenizer and processor files the new one takes over. */
  base: string;
  dtype: StoredDType;
  /** Every parameter under the model's own name; a tied head is none. */
  parameters: Iterable<Pick<TensorToWrite, 'name' | 'shape' | 'data'>>;
  /** The name that a parameter has in the file (`hubName`). */
  storedName: (name: string) => string;
}

/** Writes the folder whole or not at all; one that holds another thing than a model is refused. */
export async function writeFullCheckpoint(dir: string, checkpoint: FullCheckpoint): Promise<void> {
  const there = await listFolder(dir);
  if (there.length > 0 && !there.includes('config.json')) {
    throw new LorikeetError('checkpoint', {
      file: dir,
      what: 'holds something else than a model',
      fix: 'Name an empty folder or one that may be replaced.',
    });
  }
  const { base, dtype, parameters, storedName } = checkpoint;
  const tensors = [...parameters].map(({ name, shape, data }) => ({
    name: storedName(name),
    dtype,
    shape,
    data,
  }));
  try {
    await writeFolderAtomically(dir, async (folder) => {
      await writeSafetensors(path.join(folder, 'model.safetensors'), tensors, { format: 'pt' });
      await copyCompanions(base, folder, dtype);
    });
  } catch (cause) {
    throw new LorikeetError('checkpoint', {
      file: dir,
      what: cause instanceof LorikeetError ? cause.what : `could not be written: ${(cause as Error).message}`,
      fix: 'Check that the folder can be written and the disk is not full.',
      cause,
    });
  }
}
