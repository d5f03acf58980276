/** From a model folder and what shall be trained to a compiled step, with the choices it made and why. */
import type { FullConfig, LoraConfig } from '../config/schema.ts';
import { loraDefaults } from '../config/schema.ts';
import { readAdapter, writeAdapter } from '../checkpoint/peft.ts';
import { LorikeetError } from '../errors.ts';
import type { TensorLocation } from '../formats/safetensors.ts';
import { loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { trainsVision } from '../models/qwen2-vl/forward.ts';
import { linearModules, loraTargets, openModelWeights, parameterTable } from '../models/qwen2-vl/weights.ts';
import { selectModules } from '../nn/lora-targets.ts';
import { engineVersion } from '../runtime/session.ts';
import { physicalCores } from '../runtime/threads.ts';
import { type CompiledModelStep, compileSteps } from './compiled-step.ts';
import type { Decision } from './events.ts';
import { addLora, frozenParameters, type LoraSettings, type ParameterRoles, trainWhole } from './parameters.ts';

export interface CompileOptions {
  modelDir: string;
  /** Go on from this adapter; `lora` then holds what it must agree with, and only that. */
  adapterDir?: string;
  lora?: Partial<LoraConfig>;
  /** Trains parameters whole instead. */
  full?: FullConfig;
  recompute: boolean;
  /** Physical cores where not given. */
  threads?: number;
  seed: number;
}
