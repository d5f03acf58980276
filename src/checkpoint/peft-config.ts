/** adapter_config.json: what LoRA of PEFT 0.21 says about an adapter, and which of it we can honour. */
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { isObject, type Json, type JsonObject, readJsonObject } from '../formats/json.ts';

export const configName = 'adapter_config.json';

export interface AdapterConfig {
  rank: number;
  alpha: number;
  dropout: number;
  /** scale = alpha / sqrt(rank) instead of alpha / rank */
  rslora: boolean;
  /** Whole names of the modules that have tensors, in the order of the model. */
  targetModules: string[];
  /** The base it was trained on, as its maker called it. */
  baseModel?: string;
}

/** What stands in the file, before the tensors have their say. */
export interface StoredConfig extends Omit<AdapterConfig, 'targetModules'> {
  /** The list that selected modules, where nothing else in the file narrows it down. */
  targets: string[] | undefined;
}

/** Keys that change what the adapter computes in ways we do not have, and why one is refused. */
const unsupported: Record<string, string> = {
  use_dora: 'DoRA also trains magnitudes',
  use_qalora: 'QALoRA pools the input',
  use_bdlora: 'block-diagonal LoRA has other shapes',
  modules_to_save: 'it holds whole modules besides LoRA',
  rank_pattern: 'modules have ranks of their own',
  alpha_pattern: 'modules have scales of their own',
  layer_replication: 'it copies layers of the base',
  trainable_token_indices: 'it trains rows of the embedding',
  target_parameters: 'it changes parameters that are no linear layers',
  alora_invocation_tokens: 'it acts after its invocation tokens alone',
  lora_bias: 'its B has a bias',
  fan_in_fan_out: 'its weights are transposed',
  arrow_config: 'it routes between adapters',
  kasa_config: 'KaSA has another update',
  velora_config: 'VeLoRA has another update',
  monteclora_config: 'MonteCLoRA has another update',
  megatron_config: 'it is split for Megatron',
};

/** Initialisations that also change the base, so that the adapter is right for the changed base alone. */
const changesBase = /^(pissa|olora|loftq|corda|lora_ga)/i;

const neutral = (value: Json | undefined): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);

/** Why an adapter cannot be used, in the words of an error. */
export interface Refusal {
  what: string;
  fix: string;
}

/** Everything in the file that changes what the adapter computes in ways that we do not have. */
export function refusalsOf(json: JsonObject): Refusal[] {
  const refusals: Refusal[] = [];
  const refuse = (what: string, fix: string) => refusals.push({ what, fix });
  if (json.peft_type !== 'LORA') {
    refuse(`peft_type expected "LORA", got ${show(json.peft_type)}`, 'Only LoRA adapters are supported.');
  }
  for (const [key, reason] of Object.entries(unsupported)) {
    if (!neutral(json[key])) {
      refuse(
        `${key} expected none, got ${show(json[key])}: ${reason}`,
        'Only plain LoRA and rsLoRA are supported.',
      );
    }
  }
  if (!neutral(json.bias) && json.bias !== 'none') {
    refuse(`bias expected "none", got ${show(json.bias)}`, 'Adapters that train biases are not supported.');
  }
  if (typeof json.init_lora_weights === 'string' && changesBase.test(json.init_lora_weights)) {
    refuse(
      `init_lora_weights ${show(json.init_lora_weights)} changes the base too`,
      'Convert it to plain LoRA in PEFT first (path_initial_model_for_weight_conversion).',
    );
  }
  return refusals;
}

export const readConfigJson = (dir: string): Promise<JsonObject> =>
  readJsonObject(path.join(dir, configName), 'adapter', 4 * 1024 * 1024);

/** Reads and checks `dir`/adapter_config.json; throws `adapter` errors. */
export async function readAdapterConfig(dir: string): Promise<StoredConfig> {
  const json = await readConfigJson(dir);
  const file = path.join(dir, configName);
  const [refusal] = refusalsOf(json);
  if (refusal) throw new LorikeetError('adapter', { file, ...refusal });
  return parseAdapterConfig(json, file);
}

/** The settings of a LoRA adapter, supported or not; throws `adapter` errors where one makes no sense. */
export function parseAdapterConfig(json: JsonObject, file: string): StoredConfig {
  const refuse = (what: string, fix: string): never => {
    throw new LorikeetError('adapter', { file, what, fix });
  };
  return {
    rank: number(
      json,
      'r',
      8,
      (r) => Number.isSafeInteger(r) && r > 0 && r <= 65536,
      'a whole number above 0',
      refuse,
    ),
    alpha: number(
      json,
      'lora_alpha',
      8,
      (alpha) => alpha > 0 && Number.isFinite(alpha),
      'a number above 0',
      refuse,
    ),
    dropout: number(json, 'lora_dropout', 0, (p) => p >= 0 && p < 1, 'a number from 0 to below 1', refuse),
    rslora: json.use_rslora === true,
    targets: targetsOf(json),
    ...(typeof json.base_model_name_or_path === 'string' && { baseModel: json.base_model_name_or_path }),
  };
}

function number(
  json: JsonObject,
  key: string,
  fallback: number,
  passes: (value: number) => boolean,
  expected: string,
  refuse: (what: string, fix: string) => never,
): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && passes(value)) return value;
  return refuse(`${key} expected ${expected}, got ${show(value)}`, 'The file is damaged; get it again.');
}

function targetsOf(json: JsonObject): string[] | undefined {
  const narrowed = ['exclude_modules', 'layers_to_transform', 'layers_pattern'].some(
    (key) => !neutral(json[key]),
  );
  const targets = json.target_modules;
  const isList = Array.isArray(targets) && targets.every((target) => typeof target === 'string');
  return isList && !narrowed ? targets : undefined;
}

function show(value: Json | undefined): string {
  const text = JSON.stringify(value ?? null);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/** The file's text, with the fields that PEFT and vLLM read; `targets` are suffixes, sorted. */
export function encodeAdapterConfig(config: Omit<AdapterConfig, 'targetModules'>, targets: string[]): string {
  const fields = {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: config.baseModel ?? null,
    bias: 'none',
    exclude_modules: null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: config.alpha,
    lora_bias: false,
    lora_dropout: config.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: config.rank,
    rank_pattern: {},
    revision: null,
    target_modules: targets,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.rslora,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}
