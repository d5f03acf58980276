/** A model folder as a run trains it: LoRA, vision cache, optimizer, the very functions of `lorikeet train`. */
import { cacheSchema, loraDefaults } from '../src/config/schema.ts';
import type { Graph } from '../src/graph/ir.ts';
import { loadModelConfig } from '../src/models/qwen2-vl/config.ts';
import { trainingGraph } from '../src/models/qwen2-vl/forward.ts';
import { openModelWeights } from '../src/models/qwen2-vl/weights.ts';
import { adamwStep, createAdamW } from '../src/optim/adamw.ts';
import { compileSteps } from '../src/train/compiled-step.ts';
import {
  addGradients,
  clearGradientSum,
  createGradientSum,
  finishGradients,
} from '../src/train/gradients.ts';
import { addLora, frozenParameters } from '../src/train/parameters.ts';
import type { Sample } from '../src/train/step.ts';
import { openVisionCache } from '../src/train/vision-cache.ts';

export interface TrainerOptions {
  modelDir: string;
  /** Where the vision cache writes. */
  cacheDir: string;
  recompute: boolean;
  threads: number;
}

export interface Trainer {
  /** One optimizer step over the samples, which run together. */
  step(samples: Sample[]): Promise<void>;
  /** What a step runs behind the vision tower. */
  graph(): Graph;
}

export async function openTrainer({
  modelDir,
  cacheDir,
  recompute,
  threads,
}: TrainerOptions): Promise<Trainer> {
  const config = await loadModelConfig(modelDir);
  const frozen = frozenParameters(config, await openModelWeights(modelDir, config));
  const lora = { ...loraDefaults, rank: 16, dropout: 0 };
  const { trainables, ...table } = addLora(config, frozen, lora, { seed: 1 });
  const model = { config, ...table, recompute, labelRows: 1024 };
  const session = { target: 'cpu' as const, threads };
  const settings = cacheSchema.parse({ folder: cacheDir });
  const { embedder } = await openVisionCache(model, session, { modelDir, settings, policy: 'first' });
  const compiled = compileSteps(model, trainables, session, embedder);
  const sum = createGradientSum(trainables);
  const optimizer = createAdamW();
  let step = 0;
  return {
    async step(samples) {
      step++;
      clearGradientSum(sum);
      addGradients(sum, samples, await compiled.gradients(samples, { seed: 1, step }), { step });
      adamwStep(optimizer, trainables, finishGradients(sum, 1).gradients, 1e-4);
    },
    graph: () => trainingGraph(model),
  };
}
