/** What a run writes. */
import { bytesOf } from '../config/byte-size.ts';
import type { LoadedConfig } from '../config/load.ts';
import { parameterTable } from '../models/qwen2-vl/weights.ts';
import type { MemoryPlan } from './memory-plan.ts';

/** Bytes, by what they are. */
export interface DiskNeed {
  /** The last one, the best one, and one more while either is replaced. */
  adapters: number;
  /** Those that are kept, and one more while one is written: values, moments, and the best adapter of the time. */
  checkpoints: number;
  /** `metrics.jsonl`, TensorBoard events and the scores of rows, roughly. */
  story: number;
  /** Embedded pictures, in the cache's folder. */
  cache: number;
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
  const adapter =
    4 *
    (method === 'full'
      ? parameterTable(model.config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
      : model.trainedNumbers);
  const best = config.data.validation === undefined ? 0 : adapter;
  const { saveEvery, keep } = config.train;
  let labels = 0;
  for (const { size } of planner.sizes.evaluation(config.pack.maxTokens)) labels += size.N;
  const parts = {
    adapters: 2 * adapter + best,
    checkpoints: saveEvery === 0 ? 0 : (keep + 1) * (12 * model.trainedNumbers + best),
    story: steps.total * bytesPerStep + 2 * labels * bytesPerScoredToken,
    cache: Math.min(bytesOf(config.cache.disk)!, planner.keptBytes),
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}
