/** A parity case as a model that our own code compiled from the checkpoint on disk. */
import { join } from 'node:path';
import { writeAdapter } from '../../src/checkpoint/peft.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../../src/models/qwen2-vl/config.ts';
import { loraTargets, openModelWeights, parameterTable } from '../../src/models/qwen2-vl/weights.ts';
import { compileSteps } from '../../src/train/compiled-step.ts';
import { addLora, frozenParameters, type ParameterRoles, trainWhole } from '../../src/train/parameters.ts';
import type { CompiledStep } from '../../src/train/step.ts';
import { writeTinyCheckpoint } from './checkpoint.ts';
import { initialAdapter, type ParityModel, type Stored } from './parity.ts';

/** PEFT's key without the prefix of its wrapper is our name. */
export const tensorName = (key: string) => key.replace(/^base_model\.model\./, '');

export interface CompiledCase {
  config: Qwen2VLConfig;
  lora: ParameterRoles['lora'];
  step: CompiledStep;
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

/** The case as folders on disk: the checkpoint, and its adapter as PEFT keeps it. */
export async function writeCase(
  parity: ParityModel,
  like: Record<string, Stored>,
  dir: string,
): Promise<{ modelDir: string; adapterDir?: string }> {
  const modelDir = join(dir, 'model');
  writeTinyCheckpoint(modelDir, parity);
  if (!parity.lora) return { modelDir };
  const { rank, alpha, rslora } = parity.lora;
  const adapter = {
    config: { rank, alpha, rslora, dropout: 0, baseModel: modelDir },
    tensors: new Map([...initialAdapter(parity, like)].map(([key, value]) => [tensorName(key), value])),
  };
  const adapterDir = join(dir, 'adapter');
  await writeAdapter(adapterDir, adapter, loraTargets(await loadModelConfig(modelDir)));
  return { modelDir, adapterDir };
}
