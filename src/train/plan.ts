import { type CheckedSplit, checkData } from '../check/check-data.ts';
import type { DataCheck } from '../check/data-check.ts';
import type { ConfigDecision, LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { ChatTokenizer } from '../data/tokenizer.ts';
import { LorikeetError } from '../errors.ts';
import { warmupStepsOf } from '../optim/schedule.ts';
import { count } from '../words.ts';
import { type CourseStep, countSteps, type RowSize } from './course.ts';
import { describeSharing } from './describe-sharing.ts';
import { createEncoder, type EncoderSettings, encoderSettings } from './encoder.ts';
import type { CheckEvent, Decision, NoticeEvent, PlannedMemory } from './events.ts';
import type { LoopSettings } from './loop-state.ts';
import { type LostRows, restoreLost } from './lost-rows.ts';
import { checkMemory, memoryWarnings, planMemory, withCut } from './memory-plan.ts';
import { courseOf, drawRows } from './planned-course.ts';
import { rowSizes, type Sharing, sharingOf } from './sharing.ts';

export type SplitPlan = CheckedSplit;

/** Everything about a run that can be known before its model is compiled. */
export interface Plan {
  config: Config;
  method: LoadedConfig['method'];
  encoder: EncoderSettings;
  tokenizer: ChatTokenizer;
  train: SplitPlan;
  validation?: SplitPlan;
  /** The rows of each split as the run packs them. */
  sizes: { train: RowSize[]; validation?: RowSize[] };
  sharing: Sharing;
  check: DataCheck;
  memory: PlannedMemory;
  settings: LoopSettings;
  /** Training rows, of those that are used, that evaluations score beside the validation data. */
  gapRows: number[];
  /** Validation rows, of those that are used, that evaluations answer. */
  answerRows: number[];
  course: () => Iterable<CourseStep>;
  decisions: Decision[];
}

/**
 * The one place that sees the whole config. Reads and checks all data, counts the steps and says what was decided
 * and why. Gives nothing where it was stopped. Throws for anything that a run could not get past.
 *
 * @param lost rows that an interrupted run lost after its check: they keep their places in the order.
 */
export async function* makePlan(
  loaded: LoadedConfig,
  stopped: () => boolean,
  lost?: LostRows,
): AsyncGenerator<CheckEvent | NoticeEvent, Plan | undefined> {
  const { config } = loaded;
  checkAdapterPlace(config);
  const settings = encoderSettings(config);
  const encoder = await createEncoder(settings);
  const checked = yield* checkData(config.data, encoder, stopped);
  if (!checked) return undefined;
  const { train, validation, check } = checked;
  for (const split of [train, validation]) if (split) restoreLost(split.survey, lost);
  const { tokenizer } = encoder;
  const memory = await planMemory({ loaded, train, validation, encoder });
  checkMemory(memory);
  const steps = planSteps(withCut(loaded, memory.cut), encoder.vocabulary, train, validation);
  const plan = {
    ...steps,
    decisions: withPicked(steps.decisions, memory.decisions),
    memory: { needed: memory.need.total, limit: memory.limit, picked: memory.picked },
    check,
    encoder: settings,
    tokenizer,
  };
  for (const text of [...warnings(plan), ...memoryWarnings(memory)]) yield { type: 'notice', text };
  return plan;
}

function planSteps(
  loaded: LoadedConfig,
  vocabulary: number,
  train: SplitPlan,
  validation?: SplitPlan,
): Omit<Plan, 'check' | 'encoder' | 'memory' | 'tokenizer'> {
  const { config, method } = loaded;
  const { train: words } = config;
  const rows = train.survey.rows.length;
  const totalSteps = countSteps(rows, words.gradientAccumulation, words.epochs, words.maxSteps);
  const warmupSteps =
    words.warmupRatio === undefined ? words.warmupSteps : warmupStepsOf(words.warmupRatio, totalSteps);
  const settings: LoopSettings = {
    totalSteps,
    learningRate: words.learningRate,
    schedule: words.schedule,
    warmupSteps,
    weightDecay: words.weightDecay,
    maxGradNorm: words.maxGradNorm || Number.POSITIVE_INFINITY,
    evaluateEvery: words.evaluateEvery || totalSteps,
    evaluateStart: words.evaluateStart,
    bestBy: words.bestBy,
    patience: words.patience,
    maxTokens: config.pack.maxTokens,
    seed: words.seed,
    recompute: words.recompute,
    numbers: {
      onNotFinite: words.onNotFinite,
      explosion: words.explosion,
      onExplosion: words.onExplosion,
      onStuck: words.onStuck,
      vocabulary,
      warmupSteps,
    },
    saveEvery: words.saveEvery,
  };
  const sizes = {
    train: rowSizes(train.survey, config.pack),
    ...(validation && { validation: rowSizes(validation.survey, config.pack) }),
  };
  const { seed } = words;
  const walk = courseOf(config, sizes.train);
  const sharing = sharingOf(walk(), sizes.train);
  const decisions = [
    ...loaded.decisions.map((word) => explainWord(word, loaded)),
    ...decide(config, settings, train, validation),
    ...describeSharing(config, sharing),
  ];
  const gapRows = validation ? drawRows(train.survey, words.gapRows, seed, 'gap rows') : [];
  const answerRows = validation
    ? drawRows(validation.survey, words.evaluateAnswers, seed, 'answer rows')
    : [];
  return {
    config,
    method,
    train,
    validation,
    sizes,
    sharing,
    settings,
    gapRows,
    answerRows,
    course: walk,
    decisions,
  };
}

/** Words that were picked to fit memory are explained by that. */
function withPicked(decisions: readonly Decision[], picked: readonly Decision[]): Decision[] {
  return [...decisions.filter(({ what }) => !picked.some((other) => other.what === what)), ...picked];
}

function explainWord({ key, value, from }: ConfigDecision, { repeats }: LoadedConfig): Decision {
  const reasons = {
    default: 'the default',
    file: repeats ? `the run that is repeated, ${repeats.file}` : 'the config file',
    'command line': '--set on the command line',
    checkpoint: 'as the run began that goes on',
  };
  return { what: key, value, reason: reasons[from] };
}

function decide(
  { train: words, data }: Config,
  { totalSteps, warmupSteps, evaluateEvery }: LoopSettings,
  train: SplitPlan,
  validation?: SplitPlan,
): Decision[] {
  const { rows } = train.survey;
  const perEpoch = Math.ceil(rows.length / words.gradientAccumulation);
  const steps = `ceil(${rows.length} rows / ${words.gradientAccumulation} a step) = ${perEpoch} steps an epoch, times ${words.epochs}`;
  const decisions: Decision[] = [
    {
      what: 'totalSteps',
      value: totalSteps,
      reason: words.maxSteps === totalSteps ? `train.maxSteps; without it ${steps}` : steps,
    },
  ];
  if (words.warmupRatio !== undefined) {
    const reason = `train.warmupRatio ${words.warmupRatio} of ${totalSteps} steps, rounded up`;
    decisions.push({ what: 'train.warmupSteps', value: warmupSteps, reason });
  }
  for (const split of [train, validation]) {
    if (split) decisions.push(...describeSplit(split, data.onBadRow));
  }
  decisions.push({ what: 'checkpoints', ...describeSaving(words) });
  if (validation && evaluateEvery > totalSteps) {
    const reason = `train.evaluateEvery ${evaluateEvery} is beyond the last step`;
    decisions.push({ what: 'evaluations', value: 'at the end alone', reason });
  }
  return decisions;
}

function describeSaving({ saveEvery, keep }: Config['train']): Omit<Decision, 'what'> {
  if (saveEvery === 0)
    return { value: 'none', reason: 'train.saveEvery 0: an interrupted run cannot be resumed' };
  const value = saveEvery === undefined ? 'every ten minutes' : `every ${count(saveEvery, 'step')}`;
  return { value, reason: `and where the run is stopped; the newest ${keep} are kept (train.keep)` };
}

function describeSplit({ dataset, survey }: SplitPlan, onBadRow: string): Decision[] {
  const { name, guessed, fields, form, notes } = dataset;
  const decisions: Decision[] = [{ what: `${name} form`, value: form, reason: notes[0] }];
  for (const key of guessed) {
    const reason = 'guessed from the name of the column; data.fields sets it';
    decisions.push({ what: `${name} ${key} column`, value: fields[key], reason });
  }
  if (survey.skipped.length > 0) {
    const rows = survey.skipped.map(({ row }) => row);
    decisions.push({ what: `${name} rows skipped`, value: rows, reason: `data.onBadRow: ${onBadRow}` });
  }
  return decisions;
}

/** A fresh B is all zeros; this far down it hardly leaves them. */
const slowForFresh = 1e-5;

function warnings({ config, method, settings }: Plan): string[] {
  const texts: string[] = [];
  if (method === 'lora' && !config.adapter && settings.learningRate <= slowForFresh) {
    texts.push(
      `train.learningRate ${settings.learningRate} is low for a fresh adapter, whose B starts at zero; ` +
        '1e-4 is usual. For going on from an adapter it is right.',
    );
  }
  if (settings.warmupSteps >= settings.totalSteps) {
    texts.push(
      `The warm-up of ${settings.warmupSteps} steps is as long as the run of ${settings.totalSteps}: ` +
        `the learning rate never reaches ${settings.learningRate}.`,
    );
  }
  const { patience, evaluateEvery, totalSteps } = settings;
  if (patience !== undefined && (patience + 1) * evaluateEvery >= totalSteps) {
    texts.push(
      `train.patience ${patience} never acts: the run of ${count(totalSteps, 'step')} has ` +
        `${count(Math.ceil(totalSteps / evaluateEvery), 'evaluation')}, one every ${count(evaluateEvery, 'step')}.`,
    );
  }
  return texts;
}

/** An adapter inside the output would be removed with the run that is overwritten. */
function checkAdapterPlace({ adapter, output }: Config): void {
  if (!adapter || !`${adapter}/`.startsWith(`${output}/`)) return;
  throw new LorikeetError('config', {
    what: `adapter expected outside output, got ${adapter} inside ${output}`,
    fix: 'Name another output, so that the adapter you go on from stays what it is.',
  });
}
