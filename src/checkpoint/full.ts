/** Whole models in Hugging Face layout, written from parameters that were trained whole. */
import { copyFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { listFolder, writeFolderAtomically } from '../formats/atomic.ts';
import { isObject, type JsonObject, readJsonObject } from '../formats/json.ts';
import { type TensorToWrite, writeSafetensors } from '../formats/safetensors.ts';

export interface FullCheckpoint {
  /** Folder whose config.json, tokenizer and processor files the new one takes over. */
  base: string;
  dtype: 'f32' | 'f16' | 'bf16';
  /** Every parameter under the model's own name; a tied head is none. */
  parameters: Iterable<Pick<TensorToWrite, 'name' | 'shape' | 'data'>>;
  /** The name that a parameter has in the file (`hubName`). */
  storedName: (name: string) => string;
}

const torchName = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' };

/** What belongs to a model besides its weights. */
const companions =
  /^(generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|preprocessor_config|processor_config|chat_template)\.json$|^(merges\.txt|chat_template\.jinja)$/;

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
  const config = withDtype(
    await readJsonObject(path.join(base, 'config.json'), 'checkpoint'),
    torchName[dtype],
  );
  const files = (await listFolder(base)).filter((name) => companions.test(name));
  const tensors = [...parameters].map(({ name, shape, data }) => ({
    name: storedName(name),
    dtype,
    shape,
    data,
  }));
  try {
    await writeFolderAtomically(dir, async (folder) => {
      await writeSafetensors(path.join(folder, 'model.safetensors'), tensors, { format: 'pt' });
      for (const name of files) await copyFile(path.join(base, name), path.join(folder, name));
      await writeFile(path.join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`, {
        flush: true,
      });
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

/** config.json repeats the element type in up to three places. */
function withDtype(config: JsonObject, dtype: string): JsonObject {
  const changed = structuredClone(config);
  for (const section of [changed, changed.text_config, changed.vision_config]) {
    if (!isObject(section)) continue;
    for (const key of ['dtype', 'torch_dtype']) if (key in section) section[key] = dtype;
  }
  if (!('dtype' in changed) && !('torch_dtype' in changed)) changed.torch_dtype = dtype;
  return changed;
}
