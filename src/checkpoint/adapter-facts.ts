/** An adapter as it is, supported or not: settings, modules, how far each was trained. */
import path from 'node:path';
import type { DType } from '../dtype.ts';
import { LorikeetError } from '../errors.ts';
import { loraScale } from '../nn/network.ts';
import { type Halves, kindOf, layerOf, pairHalves } from './adapter-names.ts';
import { type LowRankUpdate, norm, squaredNorm } from './low-rank.ts';
import { adapterFile, adapterHeader, readAdapterTensor } from './peft.ts';
import { configName, parseAdapterConfig, readConfigJson, refusalsOf } from './peft-config.ts';

export interface AdapterSettings {
  rank: number;
  alpha: number;
  /** alpha / rank, or alpha / sqrt(rank) with rsLoRA. */
  scale: number;
  rslora: boolean;
  dropout: number;
  /** The base it was trained on, as its maker called it. */
  baseModel: string | null;
}

export interface AdapterModule {
  /** As the model names it. */
  name: string;
  /** The name without its layer's number. */
  kind: string;
  layer: number | null;
  rank: number;
  inFeatures: number;
  outFeatures: number;
  parameters: number;
  /** Frobenius norms of A, B and of the update, scale B A; null where a value is not finite. */
  normA: number | null;
  normB: number | null;
  normUpdate: number | null;
  /** B is not zero throughout. */
  trained: boolean;
}

/** All modules of a kind; norms are means over its modules, null where one of theirs is. */
export interface AdapterKind {
  kind: string;
  modules: number;
  layers: number;
  parameters: number;
  normA: number | null;
  normB: number | null;
  normUpdate: number | null;
  leastUpdate: number | null;
  mostUpdate: number | null;
}

export interface AdapterFacts {
  dir: string;
  settings: AdapterSettings;
  modules: AdapterModule[];
  kinds: AdapterKind[];
  layers: number;
  parameters: number;
  dtypes: DType[];
  bytes: number;
  /** The norm of all updates together; null where a value is not finite. */
  normUpdate: number | null;
  /** Modules whose B is zero: nothing was learned there. */
  untrained: string[];
  /** Modules with NaN or infinite values. */
  notFinite: string[];
  /** Modules that lack a half, or whose halves do not fit each other. */
  broken: string[];
  /** Keys of the file that are no LoRA of a linear layer: magnitudes of DoRA, whole modules, embeddings. */
  otherTensors: string[];
  /** What keeps Lorikeet from using it. */
  unsupported: string[];
}

/** Throws an `adapter` error where the folder holds no LoRA adapter or a damaged one. */
export async function readAdapterFacts(dir: string): Promise<AdapterFacts> {
  const opened = await openUnchecked(dir);
  const modules: AdapterModule[] = [];
  for (const pair of opened.whole)
    modules.push(describeModule(pair.module, await readPair(pair, opened.settings)));
  const locations = [...opened.stored.values()];
  return {
    dir,
    settings: opened.settings,
    modules,
    kinds: kindsOf(modules),
    layers: new Set(modules.filter(({ layer }) => layer !== null).map(layerName)).size,
    parameters: modules.reduce((sum, { parameters }) => sum + parameters, 0),
    dtypes: [...new Set(locations.map(({ dtype }) => dtype))].sort(),
    bytes: locations.reduce((sum, { byteLength }) => sum + byteLength, 0),
    normUpdate: rootOfSquares(modules.map(({ normUpdate }) => normUpdate)),
    untrained: modules.filter(({ trained }) => !trained).map(({ name }) => name),
    notFinite: modules.filter(isSpoilt).map(({ name }) => name),
    broken: opened.broken,
    otherTensors: opened.others,
    unsupported: opened.unsupported,
  };
}

/** An adapter whose config may say anything; whole pairs are those with two halves that fit each other. */
export async function openUnchecked(dir: string) {
  const file = await adapterFile(dir);
  const json = await readConfigJson(dir);
  const refusals = refusalsOf(json);
  if (json.peft_type !== 'LORA') {
    throw new LorikeetError('adapter', { file: path.join(dir, configName), ...refusals[0] });
  }
  const { targets: _, baseModel = null, ...config } = parseAdapterConfig(json, path.join(dir, configName));
  const stored = await adapterHeader(file);
  const { pairs, others } = pairHalves(stored);
  return {
    stored,
    others,
    settings: { ...config, scale: loraScale(config), baseModel },
    whole: pairs.filter(isWhole),
    broken: pairs.filter((pair) => !isWhole(pair)).map(({ module }) => module),
    unsupported: refusals.map(({ what }) => what),
  };
}

type Whole = Required<Halves>;

const isWhole = (pair: Halves): pair is Whole =>
  pair.a?.shape.length === 2 && pair.b?.shape.length === 2 && pair.a.shape[0] === pair.b.shape[1];

/** The rank is the tensors' own: a rank pattern gives modules different ones, and PEFT then scales each by its own. */
export async function readPair({ a, b }: Whole, { alpha, rslora }: AdapterSettings): Promise<LowRankUpdate> {
  const rank = a.shape[0];
  return {
    a: await readAdapterTensor(a),
    b: await readAdapterTensor(b),
    rank,
    scale: loraScale({ alpha, rank, rslora }),
  };
}

function describeModule(name: string, update: LowRankUpdate): AdapterModule {
  const { a, b, rank } = update;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    name,
    kind: kindOf(name),
    layer: layerOf(name) ?? null,
    rank,
    inFeatures: a.length / rank,
    outFeatures: b.length / rank,
    parameters: a.length + b.length,
    normA: finite(norm(a)),
    normB: finite(norm(b)),
    normUpdate: finite(Math.sqrt(squaredNorm(update))),
    trained: b.some((value) => value !== 0),
  };
}

const isSpoilt = ({ normA, normB, normUpdate }: AdapterModule): boolean =>
  [normA, normB, normUpdate].includes(null);

/** Layer 3 of the decoder and block 3 of the tower are two. */
const layerName = ({ name }: AdapterModule): string => name.replace(/\.(layers|blocks)\.(\d+)\..*/, '.$1.$2');

function kindsOf(modules: readonly AdapterModule[]): AdapterKind[] {
  const byKind = new Map<string, AdapterModule[]>();
  for (const module of modules) byKind.set(module.kind, [...(byKind.get(module.kind) ?? []), module]);
  return [...byKind].map(([kind, group]) => {
    const updates = known(group.map(({ normUpdate }) => normUpdate));
    return {
      kind,
      modules: group.length,
      layers: new Set(group.map(({ layer }) => layer)).size,
      parameters: group.reduce((sum, { parameters }) => sum + parameters, 0),
      normA: mean(known(group.map(({ normA }) => normA))),
      normB: mean(known(group.map(({ normB }) => normB))),
      normUpdate: mean(updates),
      leastUpdate: updates && Math.min(...updates),
      mostUpdate: updates && Math.max(...updates),
    };
  });
}

const known = (values: (number | null)[]): number[] | null =>
  values.some((value) => value === null) ? null : (values as number[]);

const mean = (values: number[] | null): number | null =>
  values && values.reduce((sum, value) => sum + value, 0) / values.length;

const rootOfSquares = (values: (number | null)[]): number | null => {
  const numbers = known(values);
  return numbers && Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0));
};
