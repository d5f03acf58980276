/** The memory of a run before it starts: how it is cut to fit, or why it cannot run and what would fit. */
import type { CheckedSplit } from '../check/check-data.ts';
import type { PictureSize } from '../check/survey.ts';
import { bytesOf } from '../config/byte-size.ts';
import type { ConfigDecision, LoadedConfig } from '../config/load.ts';
import { valueAt } from '../config/problems.ts';
import type { Config } from '../config/schema.ts';
import type { Tree } from '../config/source.ts';
import { type ErrorDetails, LorikeetError } from '../errors.ts';
import { loadProcessor } from '../models/qwen2-vl/processor.ts';
import { type MachineMemory, machineMemory } from '../runtime/machine-memory.ts';
import { size } from '../words.ts';
import type { Encoder } from './encoder.ts';
import type { Decision } from './events.ts';
import { type Cut, cutsOf, firstThatFits, rowTooLarge } from './fit.ts';
import { type MemoryNeed, MemoryPlanner, type RunCut } from './memory-need.ts';
import { type PlannedModel, planModel } from './planned-model.ts';
import { runSizes, withSmallerPictures } from './run-sizes.ts';

export interface MemoryLimit {
  bytes: number;
  /** `memory` of the config, or what the machine has left. */
  from: 'memory' | 'machine';
}

export interface MemoryPlan {
  model: PlannedModel;
  planner: MemoryPlanner;
  machine: MachineMemory;
  limit: MemoryLimit;
  cut: RunCut;
  need: MemoryNeed;
  /** Words that were picked to fit `memory`, and why. */
  picked: Decision[];
  /** Those, and what the run needs. */
  decisions: Decision[];
  /** Set where the run does not fit. */
  refusal?: ErrorDetails;
}

export interface MemoryPlanInput {
  loaded: LoadedConfig;
  train: CheckedSplit;
  validation?: CheckedSplit;
  encoder: Pick<Encoder, 'patchLength'>;
  machine?: MachineMemory;
}

/** Throws `checkpoint`, `adapter` and `config` errors for a model that could not be trained at all. */
export async function planMemory(input: MemoryPlanInput): Promise<MemoryPlan> {
  const { loaded, machine = machineMemory() } = input;
  const { config } = loaded;
  const model = await planModel(loaded);
  const planner = new MemoryPlanner(model, sizesOf(input, model));
  const limit = limitOf(bytesOf(config.memory), machine);
  const words = cutWordsOf(config);
  const cuts =
    config.memory === undefined ? [cutOf(config)] : cutsOf({ ...words, written: writtenWords(loaded) });
  const { fits, tried } = firstThatFits(planner, cuts, limit.bytes);
  const { need, ...cut } = fits ?? tried[tried.length - 1];
  const picked = config.memory !== undefined && fits ? describePicks(loaded, cut, tried, limit) : [];
  return {
    model,
    planner,
    machine,
    limit,
    cut,
    need,
    picked,
    decisions: [...picked, describeNeed(need, limit)],
    ...(!fits && { refusal: await refusalOf(input, planner, limit, { ...cut, need }) }),
  };
}

/** As the words of a config have it. */
export function cutOf({ train, pack, cache }: Pick<Config, 'train' | 'pack' | 'cache'>): RunCut {
  return {
    recompute: train.recompute,
    maxTokens: pack.maxTokens,
    cacheMemory: bytesOf(cache.memory)!,
  };
}

const cutWordsOf = (config: Config) => ({ ...cutOf(config), keepsOnDisk: bytesOf(config.cache.disk)! > 0 });

/** The config with what was picked in it; words that say the same already stay as they were written. */
export function withCut(loaded: LoadedConfig, { recompute, maxTokens, cacheMemory }: RunCut): LoadedConfig {
  const { config } = loaded;
  const memory = cacheMemory === cutOf(config).cacheMemory ? config.cache.memory : cacheMemory;
  return {
    ...loaded,
    config: {
      ...config,
      train: { ...config.train, recompute },
      pack: { ...config.pack, maxTokens },
      cache: { ...config.cache, memory },
    },
  };
}

/** A run that goes on is cut as it began, unless its words are written otherwise now: its sums stay the same. */
export function withCutOf(loaded: LoadedConfig, before: object): LoadedConfig {
  const written = writtenWords(loaded);
  const kept = cutWords.flatMap((word): ConfigDecision[] => {
    const value = valueAt(before as Tree, wordOf[word].split('.'));
    const isPicked = loaded.config.memory !== undefined && !written.has(word) && value !== undefined;
    return isPicked ? [{ key: wordOf[word], value, from: 'checkpoint' }] : [];
  });
  if (kept.length === 0) return loaded;
  const config = structuredClone(loaded.config);
  for (const { key, value } of kept) {
    const [section, word] = key.split('.');
    (config[section as 'train'] as Tree)[word] = value;
  }
  const others = loaded.decisions.filter(({ key }) => !kept.some((decision) => decision.key === key));
  return { ...loaded, config, decisions: [...others, ...kept] };
}

export function limitOf(memory: number | undefined, { available }: MachineMemory): MemoryLimit {
  return memory !== undefined && memory <= available
    ? { bytes: memory, from: 'memory' }
    : { bytes: available, from: 'machine' };
}

function sizesOf({ loaded, train, validation, encoder }: MemoryPlanInput, model: PlannedModel) {
  return runSizes(
    { train: train.survey, validation: validation?.survey },
    loaded.config,
    { width: model.config.text.hiddenSize },
    bytesPerImageToken(encoder, model),
  );
}

const bytesPerImageToken = ({ patchLength }: Pick<Encoder, 'patchLength'>, { config }: PlannedModel) =>
  4 * patchLength * config.vision.spatialMergeSize ** 2;

const wordOf = {
  recompute: 'train.recompute',
  maxTokens: 'pack.maxTokens',
  cacheMemory: 'cache.memory',
} as const;
const cutWords = Object.keys(wordOf) as (keyof RunCut)[];

/** The words of the cut that somebody wrote. */
function writtenWords({ decisions }: LoadedConfig): Set<keyof RunCut> {
  const written = decisions.filter(({ from }) => from !== 'default').map(({ key }) => key);
  return new Set(cutWords.filter((word) => written.includes(wordOf[word])));
}

function describePicks(
  loaded: LoadedConfig,
  cut: RunCut,
  tried: readonly Cut[],
  limit: MemoryLimit,
): Decision[] {
  const written = writtenWords(loaded);
  const least = size(tried[tried.length - 1].need.total);
  const needs = (other: Cut | undefined) => (other ? `needs ${size(other.need.total)}` : '');
  const decisions: Decision[] = [];
  if (!written.has('recompute')) {
    const kept = tried.find(({ recompute }) => !recompute);
    const reason = cut.recompute
      ? `keeping activations ${needs(kept)}, ${limitWords(limit)}`
      : `keeping activations is faster and fits: ${least} of ${limitWords(limit)}`;
    decisions.push({ what: wordOf.recompute, value: cut.recompute, reason });
  }
  if (!written.has('maxTokens')) {
    const longer = tried.findLast(({ maxTokens }) => maxTokens > cut.maxTokens);
    const reason = longer
      ? `${longer.maxTokens} tokens a run ${needs(longer)}, ${limitWords(limit)}`
      : `the default fits: ${least} of ${limitWords(limit)}`;
    decisions.push({ what: wordOf.maxTokens, value: cut.maxTokens, reason });
  }
  const larger = tried.findLast(({ cacheMemory }) => cacheMemory > cut.cacheMemory);
  if (!written.has('cacheMemory') && larger) {
    const reason = `${size(larger.need.cache)} of pictures in memory would make it ${size(larger.need.total)}, ${limitWords(limit)}; the disk keeps them`;
    decisions.push({ what: wordOf.cacheMemory, value: cut.cacheMemory, reason });
  }
  return decisions;
}

const limitWords = ({ bytes, from }: MemoryLimit) =>
  from === 'memory' ? `memory ${size(bytes)}` : `${size(bytes)} that this machine has left`;

function describeNeed(need: MemoryNeed, limit: MemoryLimit): Decision {
  const { total, ...parts } = need;
  const listed = Object.entries(parts).filter(([, bytes]) => bytes > 0);
  const words = listed.map(([part, bytes]) => `${part} ${size(bytes)}`).join(', ');
  return { what: 'memory needed', value: total, reason: `bytes, of ${limitWords(limit)}: ${words}` };
}

/** What does not fit, and the least change that would. */
async function refusalOf(
  input: MemoryPlanInput,
  planner: MemoryPlanner,
  limit: MemoryLimit,
  asked: Cut,
): Promise<ErrorDetails> {
  const { loaded, train, validation } = input;
  const { fits, tried } = firstThatFits(
    planner,
    cutsOf({ ...cutWordsOf(loaded.config), written: new Set() }).filter(({ recompute }) => recompute),
    limit.bytes,
  );
  const room = `${limit.from === 'memory' ? 'memory has' : 'this machine has'} ${size(limit.bytes)}${limit.from === 'machine' ? ' left' : ''}`;
  if (fits) {
    const what = `the run needs ${size(asked.need.total)} of memory, ${room}`;
    return {
      file: loaded.file,
      what,
      fix: `${sentence(changes(loaded, fits))} fits: ${size(fits.need.total)}.`,
    };
  }
  const tooLarge = rowTooLarge(planner, true, limit.bytes);
  const smaller = await smallerPictures(input, planner, limit.bytes, tried);
  const fix = smaller
    ? `${sentence(changes(loaded, smaller))} fits: ${size(smaller.need.total)}.`
    : `No cut of it fits; it needs ${size(tried[tried.length - 1].need.total)} at least.`;
  if (!tooLarge) {
    return {
      file: loaded.file,
      what: `the run needs ${size(tried[tried.length - 1].need.total)} of memory even cut as small as it goes, ${room}`,
      fix,
    };
  }
  const { row, need } = tooLarge;
  const { dataset, survey } = row.split === 'train' ? train : validation!;
  const pictures = row.pictures.length > 0 ? `, ${row.size.M} of them of pictures,` : '';
  return {
    ...dataset.place(survey.rows[row.index]),
    what: `its ${row.size.T} tokens${pictures} need ${size(need.total)} of memory, ${room}`,
    fix,
  };
}

type Fitting = Cut & { maxPixels?: number };

/** Words that are to be set, none that is so already. */
function changes({ config }: LoadedConfig, { maxPixels, ...cut }: Fitting): string[] {
  const { recompute, maxTokens, cacheMemory } = cut;
  return [
    ...(maxPixels === undefined ? [] : [`image.maxPixels: ${maxPixels}`]),
    ...(recompute === config.train.recompute ? [] : [`train.recompute: ${recompute}`]),
    ...(maxTokens === config.pack.maxTokens ? [] : [`pack.maxTokens: ${maxTokens}`]),
    ...(cacheMemory === cutOf(config).cacheMemory
      ? []
      : [`cache.memory: ${size(cacheMemory).replace(' ', '')}`]),
  ];
}

const sentence = (words: readonly string[]) => words.join(' with ');

/** Image tokens of a picture at most, to try. */
const pictureTokens = [1024, 768, 512, 384, 256, 128, 64, 16];

/** The largest limit of pixels with which the last of `cuts` fits, the shortest; with it the first of them that does. */
async function smallerPictures(
  { loaded, train, validation, encoder }: MemoryPlanInput,
  planner: MemoryPlanner,
  bytes: number,
  cuts: readonly RunCut[],
): Promise<Fitting | undefined> {
  const { model } = planner;
  const { config } = loaded;
  const perToken = bytesPerImageToken(encoder, model);
  const side = model.config.vision.patchSize * model.config.vision.spatialMergeSize;
  let largest = 0;
  for (const tokens of planner.sizes.pictures.values()) largest = Math.max(largest, tokens);
  for (const tokens of pictureTokens.filter((count) => count < largest)) {
    const maxPixels = tokens * side ** 2;
    if (maxPixels < (config.image.minPixels ?? 0)) return undefined;
    const processor = await loadProcessor(config.model, { ...config.image, maxPixels });
    const tokensOf = ({ width, height }: PictureSize) =>
      processor.tokenCount(processor.gridFor(width, height));
    const data = { train: train.survey, validation: validation?.survey };
    const width = { width: model.config.text.hiddenSize };
    const sizes = runSizes(withSmallerPictures(data, tokensOf, perToken), config, width, perToken);
    const smaller = new MemoryPlanner(model, sizes, planner);
    if (!firstThatFits(smaller, cuts.slice(-1), bytes).fits) continue;
    return { ...firstThatFits(smaller, cuts, bytes).fits!, maxPixels };
  }
  return undefined;
}

/** Throws `memory` where the plan does not fit. */
export function checkMemory({ refusal }: MemoryPlan): void {
  if (refusal) throw new LorikeetError('memory', refusal);
}

/** Weights that the system cannot keep beside the run are read from the disk anew at every step. */
export function memoryWarnings({ model, need, machine }: MemoryPlan): string[] {
  const { bytes } = model.weights;
  if (need.total + bytes <= machine.available) return [];
  return [
    `The run needs ${size(need.total)} of memory, which leaves ${size(Math.max(0, machine.available - need.total))} of this machine's ` +
      `for ${size(bytes)} of mapped weights: what does not stay in memory is read from the disk again at every step.`,
  ];
}
