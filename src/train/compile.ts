/** From a model folder and what shall be trained to a compiled step, with the choices it made and why. */
import type { MemoryPolicy } from '../cache/memory.ts';
import { checkAgreement } from '../checkpoint/agree.ts';
import { writeFullCheckpoint } from '../checkpoint/full.ts';
import { readAdapter, writeAdapter } from '../checkpoint/peft.ts';
import type { CacheConfig, FullConfig, LoraConfig } from '../config/schema.ts';
import { loraDefaults } from '../config/schema.ts';
import { readTensor, type TensorLocation } from '../formats/safetensors.ts';
import { pulledModel } from '../hub/cache.ts';
import { loadModelConfig, modelType, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { type ModelDefinition, trainsVision } from '../models/qwen2-vl/forward.ts';
import {
  hubName,
  linearModules,
  loraTargets,
  openModelWeights,
  parameterTable,
} from '../models/qwen2-vl/weights.ts';
import type { Parameter } from '../nn/network.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { physicalCores } from '../runtime/threads.ts';
import { type CompiledModelStep, compileSteps } from './compiled-step.ts';
import { describeCache } from './describe-cache.ts';
import type { BaseFacts, Decision, StartEvent } from './events.ts';
import { addLora, frozenParameters, type ParameterRoles, trainWhole } from './parameters.ts';
import type { WriteAdapter } from './record.ts';
import type { CompiledStep, Trainable } from './step.ts';
import { openVisionCache, plainCache, type VisionCache } from './vision-cache.ts';

export interface CompileOptions {
  modelDir: string;
  /** Go on from this adapter; `lora` then holds what it must agree with, and only that. */
  adapterDir?: string;
  lora?: Partial<LoraConfig>;
  /** Trains parameters whole instead of LoRA beside them. */
  full?: FullConfig;
  recompute: boolean;
  /** The most label tokens of samples that run together, where that is known. */
  labelRows?: number;
  /** Physical cores where not given. */
  threads?: number;
  seed: number;
  /** Where what a frozen vision tower makes of pictures is kept; without it, a little in memory. */
  cache?: CacheConfig;
  /** What gives way in memory where that is full. Default `first`, for epochs. */
  cachePolicy?: MemoryPolicy;
}

/** What a run needs of a model. */
export interface CompiledModel extends CompiledStep, Pick<StartEvent, 'lora'> {
  base: BaseFacts;
  device: string;
  threads: number;
  decisions: Decision[];
  /** Writes what was trained, as it is now, into an empty folder: a PEFT adapter, or the whole model. */
  writeAdapter: WriteAdapter;
  /** What embeds pictures and keeps them; absent where the vision tower is trained. */
  vision?: VisionCache;
}

export type Compile<M extends CompiledModel = CompiledModel> = (options: CompileOptions) => Promise<M>;

/** A model with all that can be asked of it, and what its graphs are built from. */
export interface OpenModel extends CompiledModel, CompiledModelStep {
  definition: ModelDefinition;
}

/** Opens and checks the weights, settles what is trained, and gives the step; kernels start at the first run. */
export async function compileStep(options: CompileOptions): Promise<OpenModel> {
  const config = await loadModelConfig(options.modelDir);
  const weights = await openModelWeights(options.modelDir, config);
  const frozen = frozenParameters(config, weights);
  const { roles, write, lora, decisions } = await (options.full
    ? wholeParameters(config, frozen, options)
    : loraParameters(config, frozen, options));
  const threads = options.threads ?? physicalCores();
  const { trainables, ...table } = roles;
  const model = { config, ...table, recompute: options.recompute, labelRows: options.labelRows };
  const session = { target: 'cpu' as const, threads };
  const vision = trainsVision(model) ? undefined : await visionCacheOf(model, session, options);
  const step = compileSteps(model, trainables, session, vision?.embedder);
  return {
    definition: model,
    trainables,
    evaluate: (samples) => step.evaluate(samples),
    gradients: (samples, address) => step.gradients(samples, address),
    explain: (sample, positions) => step.explain(sample, positions),
    lossesAt: (sample, positions) => step.lossesAt(sample, positions),
    close: () => step.close(),
    device: 'cpu',
    threads,
    base: baseFacts(config, weights),
    ...(lora && { lora }),
    decisions: [
      ...decisions,
      { what: 'device', value: 'cpu', reason: 'the one target that this version trains on' },
      {
        what: 'threads',
        value: threads,
        reason: options.threads
          ? 'train.threads'
          : 'one for each physical core: matrix kernels fill a core each',
      },
      describeWeights(weights),
      describeVision(trainsVision(model)),
      ...(options.cache ? describeCache(options.cache, vision) : []),
    ],
    writeAdapter: write,
    ...(vision && { vision }),
  };
}

function visionCacheOf(
  model: ModelDefinition,
  session: SessionOptions,
  { cache: settings, cachePolicy: policy = 'first', modelDir }: CompileOptions,
): Promise<VisionCache> | VisionCache {
  if (settings) return openVisionCache(model, session, { modelDir, settings, policy });
  return plainCache(model, session);
}

interface Settled {
  roles: ParameterRoles;
  write: WriteAdapter;
  lora?: StartEvent['lora'];
  decisions: Decision[];
}

async function loraParameters(
  config: Qwen2VLConfig,
  frozen: Map<string, Parameter>,
  { modelDir, adapterDir, lora, seed }: CompileOptions,
): Promise<Settled> {
  const targets = loraTargets(config);
  const modules = linearModules(config);
  const adapter = adapterDir ? await readAdapter(adapterDir, targets) : undefined;
  if (adapter && lora) checkAgreement(lora, adapter.config, modules, adapterDir);
  // An adapter settles everything but dropout, which is a matter of training alone.
  const settings: LoraConfig = adapter
    ? { ...adapter.config, dropout: lora?.dropout ?? adapter.config.dropout }
    : { ...loraDefaults, ...lora };
  const initial = adapter && new Map([...adapter.tensors].map(([name, { values }]) => [name, values]));
  const roles = addLora(config, frozen, settings, { seed, initial });
  const { rank, alpha, dropout, rslora } = settings;
  const { scale } = [...roles.lora.values()][0];
  return {
    roles,
    lora: { ...settings, scale },
    write: (dir) =>
      writeAdapter(
        dir,
        {
          config: { rank, alpha, dropout, rslora, baseModel: pulledModel(modelDir)?.id ?? modelDir },
          tensors: byName(roles.trainables),
        },
        targets,
      ),
    decisions: [
      {
        what: 'adapter',
        value: adapterDir ?? 'fresh',
        reason: adapterDir
          ? `rank ${rank}, alpha ${alpha} and ${roles.lora.size} modules are the adapter's own`
          : "A uniform within 1 / sqrt(in), B zero, as in PEFT: the first step's model is the base",
      },
      {
        what: 'lora scale',
        value: scale,
        reason: rslora ? 'alpha / sqrt(rank), rsLoRA' : 'alpha / rank',
      },
    ],
  };
}

const byName = (trainables: readonly Trainable[]) =>
  new Map(trainables.map((tensor) => [tensor.name, tensor]));

async function wholeParameters(
  config: Qwen2VLConfig,
  frozen: Map<string, Parameter>,
  { modelDir, full }: CompileOptions,
): Promise<Settled> {
  const table = parameterTable(config);
  const kinds = new Map(table.map(({ name, kind }) => [name, kind]));
  const roles = await trainWhole(frozen, full!.parameters, kinds);
  return {
    roles,
    write: async (dir) => {
      const trained = byName(roles.trainables);
      const parameters = await Promise.all(
        table.map(async ({ name, shape }) => {
          const data = trained.get(name)?.values ?? (await readTensor(frozen.get(name)!.location!));
          return { name, shape, data };
        }),
      );
      await writeFullCheckpoint(dir, { base: modelDir, dtype: 'f32', parameters, storedName: hubName });
    },
    decisions: [
      {
        what: 'trained whole',
        value: roles.trainables.length,
        reason: 'full.parameters; the model is written whole, in f32 as it was trained',
      },
    ],
  };
}

function baseFacts(config: Qwen2VLConfig, weights: Map<string, TensorLocation>): BaseFacts {
  const sizes = parameterTable(config).map(({ shape }) =>
    shape.reduce((product, length) => product * length, 1),
  );
  return {
    modelType,
    parameters: sizes.reduce((sum, size) => sum + size, 0),
    vocabulary: config.text.vocabSize,
    dtypes: dtypesOf(weights),
  };
}

function dtypesOf(weights: Map<string, TensorLocation>): string[] {
  return [...new Set([...weights.values()].map(({ dtype }) => dtype))].sort();
}

function describeWeights(weights: Map<string, TensorLocation>): Decision {
  const files = new Set([...weights.values()].map(({ file }) => file)).size;
  const where = `mapped from ${files === 1 ? 'one file' : `${files} files`}, never copied`;
  return {
    what: 'weights',
    value: dtypesOf(weights).join(', '),
    reason: `${where}; every sum is computed in f32`,
  };
}

function describeVision(trained: boolean): Decision {
  return trained
    ? {
        what: 'vision tower',
        value: 'trained',
        reason: 'parameters of it are trained, so every step differentiates it',
      }
    : { what: 'vision tower', value: 'frozen', reason: 'nothing in it is trained, so it runs forward alone' };
}
