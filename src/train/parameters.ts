/** Which parameters a run trains, and with which values they start: the table of roles. */
import type { LoraConfig } from '../config/schema.ts';
import { LorikeetError } from '../errors.ts';
import { readTensor, type TensorLocation } from '../formats/safetensors.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { linearModules, parameterTable } from '../models/qwen2-vl/weights.ts';
import { selectModules, selectParameters, type TargetModules } from '../nn/lora-targets.ts';
import { type LoraBranch, loraNames, loraScale, type Parameter } from '../nn/network.ts';
import { stream } from '../random.ts';
import type { Trainable } from './step.ts';

/** Who trains, before anybody has a value. */
export interface PlannedRoles {
  parameters: Map<string, Parameter>;
  lora: Map<string, LoraBranch>;
  trained: Pick<Trainable, 'name' | 'shape' | 'decay'>[];
}

export interface ParameterRoles extends Pick<PlannedRoles, 'parameters' | 'lora'> {
  trainables: Trainable[];
}

/** Every parameter of the model where the checkpoint has it, frozen. */
export function frozenParameters(
  config: Qwen2VLConfig,
  weights: Map<string, TensorLocation>,
): Map<string, Parameter> {
  return new Map(
    parameterTable(config).map(({ name, shape }) => [
      name,
      { name, shape, role: 'frozen', location: weights.get(name) },
    ]),
  );
}

/** The two tensors of every selected module, A [R, in] before B [out, R]. */
export function planLora(
  config: Qwen2VLConfig,
  frozen: ReadonlyMap<string, Parameter>,
  settings: LoraConfig,
): PlannedRoles {
  const modules = linearModules(config);
  const selected = new Set(selectModules(modules, settings.targetModules));
  const branch = { rank: settings.rank, scale: loraScale(settings), dropout: settings.dropout };
  const trained = modules.flatMap(({ name, inFeatures, outFeatures }) => {
    if (!selected.has(name)) return [];
    const { a, b } = loraNames(name);
    return [
      { name: a, shape: [settings.rank, inFeatures], decay: true },
      { name: b, shape: [outFeatures, settings.rank], decay: true },
    ];
  });
  const lora = new Map([...selected].map((name) => [name, branch]));
  return { parameters: withTrained(frozen, trained), lora, trained };
}

/**
 * Adds the tensors of LoRA. They start from `initial` (an existing adapter, by tensor name), or fresh as PEFT starts
 * them: A uniform within 1 / sqrt(in), B zero, so that the first step's model is the base.
 */
export function addLora(
  config: Qwen2VLConfig,
  frozen: Map<string, Parameter>,
  settings: LoraConfig,
  { seed, initial }: { seed: number; initial?: ReadonlyMap<string, Float32Array> },
): ParameterRoles {
  const { parameters, lora, trained } = planLora(config, frozen, settings);
  const trainables = trained.map((tensor, i) => {
    const { name, shape } = tensor;
    const isA = i % 2 === 0;
    const fresh = () =>
      isA
        ? uniform(shape[0] * shape[1], 1 / Math.sqrt(shape[1]), seed, name)
        : new Float32Array(shape[0] * shape[1]);
    return { ...tensor, values: initial ? Float32Array.from(known(initial, name)) : fresh() };
  });
  return { parameters, lora, trainables };
}

function withTrained(
  frozen: ReadonlyMap<string, Parameter>,
  trained: PlannedRoles['trained'],
): Map<string, Parameter> {
  const parameters = new Map(frozen);
  for (const { name, shape } of trained) parameters.set(name, { name, shape, role: 'trainable' });
  return parameters;
}

function known(initial: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const values = initial.get(name);
  if (values) return values;
  throw new LorikeetError('adapter', {
    what: `the adapter lacks ${name}`,
    fix: 'It must hold A and B of every module it names.',
    tensor: name,
  });
}

function uniform(count: number, bound: number, seed: number, name: string): Float32Array<ArrayBuffer> {
  const draws = stream(seed, 'initialise', name);
  return Float32Array.from({ length: count }, () => (2 * draws.uniform() - 1) * bound);
}

/** Full fine-tuning: the selected parameters themselves become trainable. */
export function planWhole(
  frozen: ReadonlyMap<string, Parameter>,
  which: TargetModules,
  kinds: ReadonlyMap<string, string>,
): PlannedRoles {
  const trained = selectParameters([...frozen.values()], which).map((name) => ({
    name,
    shape: frozen.get(name)!.shape.map(Number),
    decay: !['bias', 'norm'].includes(kinds.get(name) ?? ''),
  }));
  return { parameters: withTrained(frozen, trained), lora: new Map(), trained };
}

/** The same, starting from the checkpoint's values. */
export async function trainWhole(
  frozen: Map<string, Parameter>,
  which: TargetModules,
  kinds: ReadonlyMap<string, string>,
): Promise<ParameterRoles> {
  const { parameters, lora, trained } = planWhole(frozen, which, kinds);
  const trainables: Trainable[] = [];
  for (const tensor of trained) {
    const { location } = frozen.get(tensor.name)!;
    trainables.push({ ...tensor, values: new Float32Array(await readTensor(location!)) });
  }
  return { parameters, lora, trainables };
}
