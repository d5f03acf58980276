/** Everything about an evaluation that can be known, and refused, before a model is loaded. */
import path from 'node:path';
import type { LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type Dataset, openDataset } from '../data/dataset.ts';
import { LorikeetError } from '../errors.ts';
import { checkAnswerOptions } from '../generate/request.ts';
import type { Answered } from '../metrics/floor.ts';
import { defaultMaxAnswerTokens } from './asking.ts';
import { type Contestant, checkContestant, contestantOf } from './contestant.ts';
import { checkFolder, defaultFolder } from './evaluation-folder.ts';
import { exchangePictures } from './exchange.ts';
import { answered } from './judged-rows.ts';
import { answersIn, type LostRow, type PictureSet, pictureSets, readRows } from './questions.ts';

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
  /** Ends the evaluation; `unfinished` then says where the answers are that there were, and `evaluated` never comes. */
  signal?: AbortSignal;
}

export interface EvaluationPlan {
  config: Config;
  split: EvaluationSplit;
  dataset: Dataset;
  trainFile: string;
  /** What the blind guess learns from: words alone, not the pictures that a parquet file has in it. */
  training: Answered[];
  sets: PictureSet[];
  guests: ReadonlyMap<PictureSet, PictureSet>;
  lost: LostRow[];
  model: Contestant;
  against?: Contestant;
  folder: string;
  maxNewTokens: number;
  seed: number;
  /** Whether a row that cannot be scored ends it. */
  isStrict: boolean;
  /** Of the split, and of those the ones asked about other pictures too. */
  answers: number;
  answersShuffled: number;
  stopped: () => boolean;
}

/** Throws for anything wrong in config, data or output folder. */
export async function planEvaluation(
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
  for (const contestant of against ? [model, against] : [model]) await checkContestant(contestant);
  // A default nobody wrote is about training, where a bad row is found before the first step.
  const isStrict = decisions.some(
    ({ key, value, from }) => key === 'data.onBadRow' && value === 'stop' && from !== 'default',
  );
  const { rows, lost } = await readRows(dataset, isStrict, (row) => row);
  if (rows.length === 0) throw noneLeft(dataset, lost);
  const trained = split === 'train' ? dataset : await openSplit(config, 'train');
  const training =
    split === 'train' ? rows.flatMap(answered) : (await readRows(trained, isStrict, answered)).rows.flat();
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

/** With those to shuffled pictures and of the other model. */
export function totalAnswers({ answers, answersShuffled, against }: EvaluationPlan): number {
  return answers + answersShuffled + (against ? answers : 0);
}

function openSplit({ data }: Config, split: EvaluationSplit): Promise<Dataset> {
  const { images, outside, fields, system } = data;
  const file = data[split];
  if (file !== undefined) return openDataset(file, { name: split, images, outside, fields, system });
  const others = (['test', 'validation', 'train'] as const).filter((name) => data[name] !== undefined);
  throw new LorikeetError('config', {
    what: `split ${split} expected data.${split} in the config, got none`,
    fix: `Name the file there, or score another split: ${others.join(', ')}.`,
  });
}

export function noneLeft({ file, length }: Dataset, lost: readonly LostRow[]): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: `at least one row that can be scored expected, got none of ${length}; the first: ${lost[0]?.reason ?? 'unreadable'}`,
    fix: 'Mend the rows, or name another file.',
  });
}
