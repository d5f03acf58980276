import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { findSnapshot } from './cache.ts';
import { type Environment, hubCache } from './environment.ts';
import { parseModelId } from './model-id.ts';

/**
 * The folder that somebody means by `model`: a folder, relative to `base`, or the id of a pulled model
 * (`ORG/NAME`, `ORG/NAME@REVISION`). A folder of that name goes first. Nothing is fetched.
 *
 * @throws LorikeetError 'checkpoint' for an id that is not pulled. What is neither stays a path, there or not.
 */
export function modelFolder(written: string, base: string, env: Environment = process.env): string {
  if (typeof written !== 'string' || written === '')
    throw new LorikeetError('config', {
      what: `model expected a folder or the id of a pulled model, got ${written === '' ? 'an empty text' : typeof written}`,
      fix: 'Name it as a text: { model: "./models/Qwen2-VL-2B-Instruct" }.',
    });
  const folder = resolve(base, written);
  if (existsSync(folder)) return folder;
  const model = parseModelId(written);
  if (!model) return folder;
  const cache = hubCache(env);
  const snapshot = findSnapshot(cache, model);
  if (snapshot !== undefined) return snapshot;
  const revision = model.revision === undefined ? '' : ` --revision ${model.revision}`;
  throw new LorikeetError('checkpoint', {
    what: `model expected a folder or the id of a pulled model, got ${written}: no folder ${folder}, and not in ${cache}`,
    fix: `Correct the path, or fetch the model once: lorikeet pull ${model.id}${revision}`,
  });
}
