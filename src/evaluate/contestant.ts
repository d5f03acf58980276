/** Which weights are scored. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { readAdapter } from '../checkpoint/peft.ts';
import type { Config } from '../config/schema.ts';
import { LorikeetError } from '../errors.ts';
import { loadModelConfig } from '../models/qwen2-vl/config.ts';
import { loraTargets, openModelWeights } from '../models/qwen2-vl/weights.ts';
import { adapterFolder } from '../train/adapter-folder.ts';
import { runFiles } from '../train/run-folder.ts';
import type { ScoredModel } from './scorecard.ts';

export interface Contestant {
  /** Folder of the model in Hugging Face layout. */
  model: string;
  /** Folder of the adapter; absent is the model alone. */
  adapter?: string;
  /** Why these. */
  reason: string;
}

/** The word for the model without any adapter. */
export const baseWord = 'base';

/**
 * What `named` says: an adapter, a run's folder (its last adapter, or the model it trained whole) or `base`. Unnamed, the
 * best that the config's own run has, then its `adapter`, then the base. Throws `adapter` where nothing is to be found.
 */
export async function contestantOf(
  { model, adapter: given, output }: Config,
  named: string | undefined,
): Promise<Contestant> {
  if (named === baseWord) return { model, reason: 'the base alone was asked for' };
  if (named !== undefined) return namedContestant(model, named);
  for (const name of [runFiles.best, runFiles.last]) {
    const folder = path.join(output, name);
    if (existsSync(folder)) return { ...weightsIn(model, folder), reason: `${name}/ of this config's run` };
  }
  if (given !== undefined)
    return { ...weightsIn(model, await adapterFolder(given)), reason: 'the adapter of the config' };
  return { model, reason: 'nothing is trained yet' };
}

async function namedContestant(model: string, named: string): Promise<Contestant> {
  const folder = path.resolve(await adapterFolder(path.resolve(named)));
  if (!existsSync(folder))
    throw new LorikeetError('adapter', {
      file: folder,
      what: 'a folder with an adapter expected, got none',
      fix: `Name an adapter's folder or a run's, or ${baseWord} for the model alone.`,
    });
  return { ...weightsIn(model, folder), reason: 'asked for' };
}

/** Full fine-tuning leaves a whole model where LoRA leaves an adapter. */
function weightsIn(model: string, folder: string): Omit<Contestant, 'reason'> {
  return existsSync(path.join(folder, 'config.json')) ? { model: folder } : { model, adapter: folder };
}

/**
 * Throws for weights that do not fit together, in an evaluation of two before the first of them answers for hours.
 * `adapter` and `checkpoint` errors.
 */
export async function checkContestant({ model, adapter }: Contestant): Promise<void> {
  const config = await loadModelConfig(model);
  await openModelWeights(model, config);
  if (adapter !== undefined) await readAdapter(adapter, loraTargets(config));
}

/** As it is told. */
export function scoredModel({ model, adapter, reason }: Contestant): ScoredModel {
  return { model, adapter: adapter ?? null, reason };
}
