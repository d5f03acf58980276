/** Does an adapter fit a base? Every tensor must have its place, or its training is lost without a word. */
import { LorikeetError } from '../errors.ts';
import { checkModelFolder } from '../formats/checkpoint-folder.ts';
import { modelFolder } from '../hub/model-folder.ts';
import { loadModelConfig } from '../models/qwen2-vl/config.ts';
import { linearModules, loraTargets } from '../models/qwen2-vl/weights.ts';
import { openUnchecked } from './adapter-facts.ts';
import { openAdapter } from './peft.ts';

export interface AdapterFit {
  model: string;
  fits: boolean;
  /** Tensors of the adapter. */
  tensors: number;
  /** What stands against it, a sentence each. */
  problems: string[];
}

/** Throws `adapter` and `checkpoint` errors where one of the two cannot be read at all. */
export async function checkAdapterFit(dir: string, base: string): Promise<AdapterFit> {
  const model = modelFolder(base, process.cwd());
  await checkModelFolder(model);
  const config = await loadModelConfig(model);
  const { whole, broken, others, stored, unsupported } = await openUnchecked(dir);
  const sizes = new Map(linearModules(config).map((module) => [module.name, module]));
  const problems = [
    ...unsupported,
    ...others.map((key) => `${key} is no LoRA of a linear layer`),
    ...broken.map((module) => `${module} lacks a half, or its halves do not fit each other`),
    ...whole.flatMap(({ module, a, b }) => {
      const place = sizes.get(module);
      if (!place) return [`${module} is no linear layer of the model`];
      const [inFeatures, outFeatures] = [a.shape[1], b.shape[0]];
      if (inFeatures === place.inFeatures && outFeatures === place.outFeatures) return [];
      return [
        `${module} expected ${place.inFeatures} inputs and ${place.outFeatures} outputs, got ${inFeatures} and ${outFeatures}`,
      ];
    }),
  ];
  // The last word is that of the reader itself: what it refuses does not fit.
  if (problems.length === 0)
    problems.push(...(await refusedBecause(() => openAdapter(dir, loraTargets(config)))));
  return { model: base, fits: problems.length === 0, tensors: stored.size, problems };
}

async function refusedBecause(open: () => Promise<unknown>): Promise<string[]> {
  try {
    await open();
    return [];
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    return [error.place.tensor ? `${error.place.tensor} ${error.what}` : error.what];
  }
}
