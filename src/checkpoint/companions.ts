/** What stands in a model's folder besides its weights: config, tokenizer, chat template, processor, licence. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { listFolder } from '../formats/atomic.ts';
import { isObject, type JsonObject, readJsonObject } from '../formats/json.ts';

export type StoredDType = 'f32' | 'f16' | 'bf16';

/** Throws a `checkpoint` error for a type that a program without types names and that cannot be written. */
export function checkDType(dtype: string, writable: readonly string[]): void {
  if (writable.includes(dtype)) return;
  throw new LorikeetError('checkpoint', {
    what: `dtype expected one of ${writable.join(', ')}, got ${JSON.stringify(dtype)}`,
    fix: 'Leave it out for the first.',
  });
}

const companions =
  /^(generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|preprocessor_config|video_preprocessor_config|processor_config|chat_template)\.json$|^(merges\.txt|chat_template\.jinja)$|^(LICEN[CS]E|NOTICE)(\.\w+)?$/;

/** Names of the files that go along, without config.json. */
export async function companionFiles(base: string): Promise<string[]> {
  return (await listFolder(base)).filter((name) => companions.test(name)).sort();
}

/**
 * Copies them, and config.json with it; `dtype` is what the new weights are stored as where that is not what the
 * base's are.
 */
export async function copyCompanions(base: string, folder: string, dtype?: StoredDType): Promise<void> {
  for (const name of await companionFiles(base))
    await copyFlushed(path.join(base, name), path.join(folder, name));
  const config = path.join(base, 'config.json');
  const copy = path.join(folder, 'config.json');
  if (dtype === undefined) return copyFlushed(config, copy);
  const changed = withDtype(await readJsonObject(config, 'checkpoint'), torchName[dtype]);
  await writeFile(copy, `${JSON.stringify(changed, null, 2)}\n`, { flush: true });
}

/** Read and written, not copied: a copy would be read-only where the original is. */
const copyFlushed = async (from: string, to: string) => writeFile(to, await readFile(from), { flush: true });

const torchName = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' };

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
