/** What a run writes. */
import type { LoadedConfig } from '../config/load.ts';
import { parameterTable } from '../models/qwen2-vl/weights.ts';
import type { MemoryPlan } from './memory-plan.ts';

/** Bytes in the run folder, by what they are. */
export interface DiskNeed {
  /** The last one, the best one, and one more while either is replaced. */
  adapters: number;
  /** `metrics.jsonl`, TensorBoard events and the scores of rows, roughly. */
  story: number;
  total: number;
}

/** Measured on runs of a few hundred steps: docs/LOG.md. */
const bytesPerStep = 700;
const bytesPerScoredToken = 60;

export function diskNeed(
  { model, planner }: MemoryPlan,
  { config, method }: LoadedConfig,
  steps: { total: number },
): DiskNeed {
  const numbers =
    method === 'full'
      ? parameterTable(model.config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
      : model.trainedNumbers;
  const copies = config.data.validation === undefined ? 2 : 3;
  let labels = 0;
  for (const { size } of planner.sizes.evaluation(config.pack.maxTokens)) labels += size.N;
  const adapters = copies * 4 * numbers;
  const story = steps.total * bytesPerStep + 2 * labels * bytesPerScoredToken;
  return { adapters, story, total: adapters + story };
}
