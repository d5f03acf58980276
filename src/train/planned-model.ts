/** The model that a run will train, known from its config.json and the headers of its files: no weight is read. */
import { openAdapter } from '../checkpoint/peft.ts';
import type { LoadedConfig } from '../config/load.ts';
import { type LoraConfig, loraDefaults } from '../config/schema.ts';
import { byteWidth, type DType } from '../dtype.ts';
import { holdsWeights, openCheckpointFolder } from '../formats/checkpoint-folder.ts';
import type { TensorLocation } from '../formats/safetensors.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { type ModelDefinition, trainsVision } from '../models/qwen2-vl/forward.ts';
import { locateWeights, loraTargets, parameterTable } from '../models/qwen2-vl/weights.ts';
import { frozenParameters, type PlannedRoles, planLora, planWhole } from './parameters.ts';

export interface PlannedModel {
  config: Qwen2VLConfig;
  /** Without recompute; whoever builds a graph says which. */
  definition: Omit<ModelDefinition, 'recompute'>;
  trained: PlannedRoles['trained'];
  /** Numbers that are trained. */
  trainedNumbers: number;
  trainsVision: boolean;
  /** Frozen weights, which are mapped where they are. */
  weights: { bytes: number; dtypes: string[]; files: number };
  /** Set where the folder holds no weights yet: the type that they are taken to have. */
  assumedDtype?: DType;
}

/** Throws `checkpoint`, `adapter` and `config` errors for what a run could not train. */
export async function planModel({ config: words, method, loraGiven }: LoadedConfig): Promise<PlannedModel> {
  const config = await loadModelConfig(words.model);
  const isThere = await holdsWeights(words.model);
  const weights = isThere
    ? locateWeights(config, await openCheckpointFolder(words.model))
    : assumedWeights(config, config.dtype ?? 'bf16');
  const frozen = frozenParameters(config, weights);
  const roles =
    method === 'full'
      ? planWhole(frozen, words.full!.parameters, kindsOf(config))
      : planLora(
          config,
          frozen,
          await loraSettings(config, words.adapter, words.adapter ? loraGiven : words.lora),
        );
  const { trained, ...definition } = roles;
  const kept = [...weights].filter(([name]) => definition.parameters.get(name)?.role === 'frozen');
  return {
    config,
    definition: { config, ...definition },
    trained,
    trainedNumbers: trained.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    trainsVision: trainsVision(definition),
    weights: {
      bytes: kept.reduce((sum, [, { byteLength }]) => sum + byteLength, 0),
      dtypes: [...new Set(kept.map(([, { dtype }]) => dtype))].sort(),
      files: new Set(kept.map(([, { file }]) => file)).size,
    },
    ...(!isThere && { assumedDtype: config.dtype ?? 'bf16' }),
  };
}

async function loraSettings(
  config: Qwen2VLConfig,
  adapter: string | undefined,
  lora: Partial<LoraConfig> | undefined,
): Promise<LoraConfig> {
  if (!adapter) return { ...loraDefaults, ...lora };
  const { config: own } = await openAdapter(adapter, loraTargets(config));
  return { ...own, dropout: lora?.dropout ?? own.dropout };
}

const kindsOf = (config: Qwen2VLConfig) =>
  new Map(parameterTable(config).map(({ name, kind }) => [name, kind]));

/** Where tensors would be in a file that is still to come, in the table's order. */
function assumedWeights(config: Qwen2VLConfig, dtype: DType): Map<string, TensorLocation> {
  let offset = 0;
  return new Map(
    parameterTable(config).map(({ name, shape }) => {
      const byteLength = shape.reduce((product, length) => product * length, byteWidth[dtype]);
      const location = { file: 'model.safetensors', dtype, shape, offset, byteLength };
      offset += byteLength;
      return [name, location];
    }),
  );
}
