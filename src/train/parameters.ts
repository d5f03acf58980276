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

export interface ParameterRoles {
  parameters: Map<string, Parameter>;
  lora: Map<string, LoraBranch>;
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

/**
 * Adds the two tensors of every selected module. They start from `initial` (an existing adapter, by tensor name),
 * or fresh as PEFT starts them: A uniform within 1 / sqrt(in), B zero, so that the first step's model is the base.
 */
export function addLora(
  config: Qwen2VLConfig,
  frozen: Map<string, Parameter>,
  settings: LoraConfig,
  { seed, initial }: { seed: number; initial?: ReadonlyMap<string, Float32Array> },
): ParameterRoles {
  const modules = linearModules(config);
  const selected = new Set(selectModules(modules, settings.targetModules));
  const branch = { rank: settings.rank, scale: loraScale(settings), dropout: settings.dropout };
  const parameters = new Map(frozen);
  const trainables: Trainable[] = [];
  const add = (name: string, shape: number[], fresh: () => Float32Array<ArrayBuffer>) => {
    parameters.set(name, { name, shape, role: 'trainable' });
    const values = initial ? Float32Array.from(known(initial, name)) : fresh();
    trainables.push({ name, shape, values, decay: true });
  };
  for (const { name, inFeatures, outFeatures } of modules) {
    if (!selected.has(name)) continue;
    const { a, b } = loraNames(name);
    add(a, [settings.rank, inFeatures], () =>
      uniform(settings.rank * inFeatures, 1 / Math.sqrt(inFeatures), seed, a),
    );
    add(b, [outFeatures, settings.rank], () => new Float32Array(outFeatures * settings.rank));
  }
  return { parameters, lora: new Map([...selected].map((name) => [name, branch])), trainables };
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

/** Full fine-tuning: the selected parameters themselves become trainable, starting from the checkpoint's values. */
export async function trainWhole(
  frozen: Map<string, Parameter>,
  which: TargetModules,
  kinds: ReadonlyMap<string, string>,
): Promise<ParameterRoles> {
  const parameters = new Map(frozen);
  const trainables: Trainable[] = [];
  for (const name of selectParameters([...frozen.values()], which)) {
    const { location } = frozen.get(name)!;
    const shape = frozen.get(name)!.shape.map(Number);
    parameters.set(name, { name, shape, role: 'trainable' });
    const values = new Float32Array(await readTensor(location!));
    trainables.push({ name, shape, values, decay: !['bias', 'norm'].includes(kinds.get(name) ?? '') });
  }
  return { parameters, lora: new Map(), trainables };
}
