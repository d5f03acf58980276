/** Scores a model on data: what `lorikeet evaluate` does, for programs. */
import path from 'node:path';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { Config, ConfigInput } from '../config/schema.ts';
import { type Dataset, openDataset } from '../data/dataset.ts';
import { LorikeetError } from '../errors.ts';
import { checkAnswerOptions } from '../generate/request.ts';
import { normalisation } from '../metrics/match.ts';
import { createEncoder, encoderSettings } from '../train/encoder.ts';
import { versions } from '../train/version.ts';
import { type Contestant, contestantOf } from './contestant.ts';
import { checkFolder, defaultFolder, writeEvaluation } from './evaluation-folder.ts';
import { type Answers, type Examination, examine } from './examination.ts';
import { Examinee } from './examinee.ts';
import { exchangePictures } from './exchange.ts';
import { judge } from './judge.ts';
import { judgedRows } from './judged-rows.ts';
import type { Prediction } from './prediction.ts';
import { type LostRow, type PictureSet, pictureSets, readRows } from './questions.ts';
import type { Scorecard, ScoredModel } from './scorecard.ts';

export type EvaluationSplit = 'train' | 'validation' | 'test';

export interface EvaluateOptions {
  /** Default `test` where the config names that file, else `validation`. */
  split?: EvaluationSplit;
  /**
   * An adapter's folder, a run's, or `base` for the model alone. Default: the best adapter of the config's own run, then
   * its last, then the config's `adapter`, then the base.
   */
  adapter?: string;
  /** Another of these, to be compared with. */
  against?: string;
  /** An answer that has not ended by itself is cut here. Default 128. */
  maxNewTokens?: number;
  /** Where the evaluation is kept; an earlier one there is replaced. Default: in the run that is scored. */
  out?: string;
  /** Ends the evaluation between two batches; nothing is then written and `evaluated` never comes. */
  signal?: AbortSignal;
}

/** An evaluation is under way. */
export interface AnsweringEvent {
  type: 'answering';
  /** Answers so far, those to shuffled pictures and of the other model among them. */
  answers: number;
  totalAnswers: number;
  /** Timing. */
  secondsLeft: number;
}

/** A row that could not be scored: its line or its picture is bad. */
export interface LostEvent extends LostRow {
  type: 'lost';
}

export interface EvaluatedEvent {
  type: 'evaluated';
  scorecard: Scorecard;
  predictions: Prediction[];
  /** Where both are kept. */
  folder: string;
}

export type EvaluationEvent = AnsweringEvent | LostEvent | EvaluatedEvent;

export const defaultMaxAnswerTokens = 128;

/**
 * Scores a model on a split of a config's data. `config` comes from `loadConfig` or is written in place; its relative
 * paths are then relative to the working directory. Computes in the calling thread, which gets a turn between batches.
 *
 * A row that cannot be read is counted and named, and ends the evaluation only where the config says `data.onBadRow: stop`
 * itself.
 *
 * @throws LorikeetError for anything wrong in config, data, model, adapter or output folder: `code` says which.
 */
export async function* evaluate(
  config: LoadedConfig | ConfigInput,
  options: EvaluateOptions = {},
): AsyncGenerator<EvaluationEvent> {
  const loaded = 'decisions' in config ? config : resolveConfig(config);
  const begun = performance.now();
  const plan = await planEvaluation(loaded, options);
  for (const row of plan.lost) yield { type: 'lost', ...row };
  const own = yield* examined(plan, plan.model, plan.guests, begun, 0);
  if (!own) return;
  const answersOwn = plan.answers + plan.answersShuffled;
  const other = plan.against && (yield* examined(plan, plan.against, new Map(), begun, answersOwn));
  if (plan.against && !other) return;
  const lost = [...plan.lost, ...own.lost];
  const rows = judgedRows({ ...plan, own, other });
  if (rows.length === 0) throw noneLeft(plan.dataset, lost);
  const figures = judge(rows, plan.seed, plan.against && scoredModel(plan.against));
  const predictions = rows.map(({ prediction }) => prediction);
  const scorecard: Scorecard = {
    split: plan.split,
    file: plan.dataset.file,
    sha256: plan.dataset.sha256,
    trainFile: plan.trainFile,
    rows: new Set(predictions.map(({ row }) => row)).size,
    answers: rows.length,
    pictures: new Set(plan.sets.flatMap(({ images }) => images.map((image) => JSON.stringify(image)))).size,
    clusteredBy: predictions.some(({ group }) => group !== undefined) ? 'group' : 'picture',
    clusters: new Set(rows.map(({ cluster }) => cluster)).size,
    normalisation,
    model: scoredModel(plan.model),
    ...figures,
    maxNewTokens: plan.maxNewTokens,
    lost,
    seed: plan.seed,
    answersComputed: totalAnswers(plan),
    seconds: (performance.now() - begun) / 1000,
    versions: versions(),
  };
  await writeEvaluation(plan.folder, scorecard, predictions);
  yield { type: 'evaluated', scorecard, predictions, folder: plan.folder };
}

interface EvaluationPlan {
  config: Config;
  split: EvaluationSplit;
  dataset: Dataset;
  trainFile: string;
  training: PictureSet['rows'];
  sets: PictureSet[];
  guests: ReadonlyMap<PictureSet, PictureSet>;
  lost: LostRow[];
  model: Contestant;
  against?: Contestant;
  folder: string;
  maxNewTokens: number;
  seed: number;
  isStrict: boolean;
  answers: number;
  answersShuffled: number;
  stopped: () => boolean;
}

/** Everything that can be known, and refused, before a model is loaded. */
async function planEvaluation(
  { config, decisions }: LoadedConfig,
  options: EvaluateOptions,
): Promise<EvaluationPlan> {
  const { maxNewTokens = defaultMaxAnswerTokens, signal } = options;
  checkAnswerOptions({ maxNewTokens });
  const split = options.split ?? (config.data.test === undefined ? 'validation' : 'test');
  const dataset = await openSplit(config, split);
  const model = await contestantOf(config, options.adapter);
  const against = options.against === undefined ? undefined : await contestantOf(config, options.against);
  const folder = path.resolve(options.out ?? defaultFolder(config.output, model, split));
  checkFolder(folder);
  // A default nobody wrote is about training, where a bad row is found before the first step.
  const isStrict = decisions.some(
    ({ key, value, from }) => key === 'data.onBadRow' && value === 'stop' && from !== 'default',
  );
  const { rows, lost } = await readRows(dataset, isStrict);
  if (rows.length === 0) throw noneLeft(dataset, lost);
  const trained = split === 'train' ? dataset : await openSplit(config, 'train');
  const training = split === 'train' ? rows : (await readRows(trained, isStrict)).rows;
  if (training.length === 0) throw noneLeft(trained, []);
  const sets = pictureSets(rows);
  const { seed } = config.train;
  const guests = exchangePictures(sets, seed);
  return {
    config,
    split,
    dataset,
    trainFile: trained.file,
    training,
    sets,
    guests,
    lost,
    model,
    ...(against && { against }),
    folder,
    maxNewTokens,
    seed,
    isStrict,
    answers: answersIn(sets),
    answersShuffled: answersIn([...guests.values()]),
    stopped: () => signal?.aborted ?? false,
  };
}

const answersIn = (sets: readonly PictureSet[]) =>
  sets.reduce((sum, { rows }) => sum + rows.reduce((own, { questions }) => own + questions.length, 0), 0);

function totalAnswers({ answers, answersShuffled, against }: EvaluationPlan): number {
  return answers + answersShuffled + (against ? answers : 0);
}

async function* examined(
  plan: EvaluationPlan,
  contestant: Contestant,
  guests: EvaluationPlan['guests'],
  begun: number,
  before: number,
): AsyncGenerator<AnsweringEvent | LostEvent, Examination | undefined> {
  const { config, dataset, sets, maxNewTokens, isStrict, stopped } = plan;
  const encoder = await createEncoder(encoderSettings(config));
  const examinee = await Examinee.open(config, contestant, { maxNewTokens, stopped });
  try {
    const passing = examine({ examinee, dataset, encoder, sets, guests, isStrict, stopped });
    let next = await passing.next();
    for (; !next.done; next = await passing.next()) {
      // What the first model could not read, the other cannot either.
      if ('done' in next.value) yield answering(plan, next.value, begun, before);
      else if (before === 0) yield { type: 'lost', ...next.value };
    }
    return next.value;
  } finally {
    await examinee.close();
  }
}

function answering(plan: EvaluationPlan, { done }: Answers, begun: number, before: number): AnsweringEvent {
  const answers = before + done;
  const total = totalAnswers(plan);
  const seconds = (performance.now() - begun) / 1000;
  const secondsLeft = answers === 0 ? 0 : (seconds / answers) * (total - answers);
  return { type: 'answering', answers, totalAnswers: total, secondsLeft };
}

function openSplit({ data }: Config, split: EvaluationSplit): Promise<Dataset> {
  const { images, fields, system } = data;
  const file = data[split];
  if (file !== undefined) return openDataset(file, { name: split, images, fields, system });
  const others = (['test', 'validation', 'train'] as const).filter((name) => data[name] !== undefined);
  throw new LorikeetError('config', {
    what: `split ${split} expected data.${split} in the config, got none`,
    fix: `Name the file there, or score another split: ${others.join(', ')}.`,
  });
}

function scoredModel({ model, adapter, reason }: Contestant): ScoredModel {
  return { model, adapter: adapter ?? null, reason };
}

function noneLeft({ file, length }: Dataset, lost: readonly LostRow[]): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: `at least one row that can be scored expected, got none of ${length}; the first: ${lost[0]?.reason ?? 'unreadable'}`,
    fix: 'Mend the rows, or name another file.',
  });
}
