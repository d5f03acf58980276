/** A parity case as a model that our own code compiled from the checkpoint on disk. */
import { loadModelConfig, type Qwen2VLConfig } from '../../src/models/qwen2-vl/config.ts';
import { openModelWeights, parameterTable } from '../../src/models/qwen2-vl/weights.ts';
import { type CompiledModelStep, compileSteps } from '../../src/train/compiled-step.ts';
import { addLora, frozenParameters, type ParameterRoles, trainWhole } from '../../src/train/parameters.ts';
import { writeTinyCheckpoint } from './checkpoint.ts';
import { initialAdapter, type ParityModel, type Stored } from './parity.ts';

/** PEFT's key without the prefix of its wrapper is our name. */
export const tensorName = (key: string) => key.replace(/^base_model\.model\./, '');

export interface CompiledCase {
  config: Qwen2VLConfig;
  lora: ParameterRoles['lora'];
  step: CompiledModelStep;
}

/** @param like stored tensors with the keys and shapes of what is trained. */
export async function compileCase(
  parity: ParityModel,
  like: Record<string, Stored>,
  dir: string,
  { recompute = false, dropout = 0 } = {},
): Promise<CompiledCase> {
  writeTinyCheckpoint(dir, parity);
  const config = await loadModelConfig(dir);
  const frozen = frozenParameters(config, await openModelWeights(dir, config));
  const { trainables, ...table } = await rolesOf(parity, like, config, frozen, dropout);
  const step = compileSteps({ config, ...table, recompute }, trainables, { target: 'cpu', threads: 1 });
  return { config, lora: table.lora, step };
}

async function rolesOf(
  parity: ParityModel,
  like: Record<string, Stored>,
  config: Qwen2VLConfig,
  frozen: ReturnType<typeof frozenParameters>,
  dropout: number,
): Promise<ParameterRoles> {
  if (!parity.lora) {
    const kinds = new Map(parameterTable(config).map(({ name, kind }) => [name, kind]));
    return trainWhole(frozen, 'all', kinds);
  }
  const adapter = initialAdapter(parity, like);
  const initial = new Map([...adapter].map(([key, { values }]) => [tensorName(key), values]));
  return addLora(config, frozen, { ...parity.lora, dropout }, { seed: 1, initial });
}
