import type { DataConfig } from '../config/schema.ts';
import { type Dataset, openDataset } from '../data/dataset.ts';
import type { Encoder } from '../train/encoder.ts';
import type { CheckEvent, Split } from '../train/events.ts';
import { AnswerTally } from './answers.ts';
import { AnswerGuesser, AnswerLearner } from './chance.ts';
import { type CheckClock, startClock } from './clock.ts';
import type { Chance, DataCheck, SharedData, SplitCheck } from './data-check.ts';
import { PictureTally } from './images.ts';
import { createLabelGuard } from './label-guard.ts';
import { GroupTally, sharedPictures } from './overlap.ts';
import { createLookAt } from './pictures.ts';
import type { RowReading } from './rows.ts';
import { type Survey, survey } from './survey.ts';
import { TokenTally } from './tokens.ts';
import { warningsOf } from './warnings.ts';

/** A data file and what the pass over it found. */
export interface CheckedSplit {
  dataset: Dataset;
  survey: Survey;
}

export interface CheckedData {
  train: CheckedSplit;
  validation?: CheckedSplit;
  check: DataCheck;
}

export type CheckEncoder = Pick<
  Encoder,
  | 'tokenizer'
  | 'processor'
  | 'patchLength'
  | 'vocabulary'
  | 'imageTokenId'
  | 'visionTokens'
  | 'encodeWith'
  | 'decode'
>;

/**
 * One pass over every row of training and validation data; every picture is decoded once. Gives nothing where it was stopped.
 *
 * @throws LorikeetError for a row that cannot be used, unless `onBadRow` passes over it, for data of which nothing is
 *   left, and for labels that are not the assistant's.
 */
export async function* checkData(
  config: DataConfig,
  encoder: CheckEncoder,
  stopped: () => boolean,
): AsyncGenerator<CheckEvent, CheckedData | undefined> {
  const train = new SplitPass('train', await open('train', config.train, config), config, encoder);
  const { validation: file } = config;
  const validation =
    file === undefined
      ? undefined
      : new SplitPass('validation', await open('validation', file, config), config, encoder);
  const clock = startClock(train.dataset.length + (validation?.dataset.length ?? 0));
  const learner = new AnswerLearner(encoder.vocabulary);
  const guesser = new AnswerGuesser(learner.tree);
  const reading = readingOf(encoder);
  const trained = yield* train.run(reading, validation ? [learner] : [], clock, stopped);
  const validated = validation && (yield* validation.run(reading, [guesser], clock, stopped));
  if (stopped()) return undefined;
  const check: DataCheck = { splits: [train.result()], warnings: [] };
  if (validation) {
    check.splits.push(validation.result());
    check.shared = sharedData(train, validation);
    check.chance = chanceOf(train, validation, guesser, encoder.vocabulary);
  }
  check.warnings = warningsOf(check, { train: trained.summary, validation: validated?.summary });
  return {
    train: { dataset: train.dataset, survey: trained },
    ...(validation && validated && { validation: { dataset: validation.dataset, survey: validated } }),
    check,
  };
}

function open(name: Split, file: string, { images, outside, fields, system }: DataConfig): Promise<Dataset> {
  return openDataset(file, { name, images, outside, fields, system });
}

function readingOf(encoder: CheckEncoder): RowReading {
  const { encodeWith } = encoder;
  return { encodeWith, lookAt: createLookAt(encoder), guard: createLabelGuard(encoder) };
}

/** One split on its way through the check, and what is counted of it. */
class SplitPass {
  readonly dataset: Dataset;
  readonly tokens = new TokenTally();
  readonly pictures: PictureTally;
  readonly answers = new AnswerTally();
  readonly groups = new GroupTally();
  readonly #split: Split;
  readonly #config: DataConfig;
  readonly #patchLength: number;
  #refused: SplitCheck['refused'] = { count: 0, reasons: [] };

  constructor(split: Split, dataset: Dataset, config: DataConfig, { patchLength }: CheckEncoder) {
    this.#split = split;
    this.#config = config;
    this.#patchLength = patchLength;
    this.dataset = dataset;
    this.pictures = new PictureTally(dataset.images);
  }

  async *run(
    reading: RowReading,
    guesses: (AnswerLearner | AnswerGuesser)[],
    clock: CheckClock,
    stopped: () => boolean,
  ): AsyncGenerator<CheckEvent, Survey> {
    const { onBadRow } = this.#config;
    const tallies = [this.tokens, this.pictures, this.answers, this.groups, ...guesses];
    const options = {
      split: this.#split,
      onBadRow,
      stopped,
      clock,
      tallies,
      patchLength: this.#patchLength,
    };
    const { refused, ...found } = yield* survey(this.dataset, reading, options);
    this.#refused = refused;
    return found;
  }

  result(): SplitCheck {
    const { pictures, tokens, answers, groups } = this;
    return {
      split: this.#split,
      rows: this.dataset.length - this.#refused.count,
      refused: this.#refused,
      ...tokens.result(),
      ...pictures.result(),
      answers: answers.result(),
      ...(groups.distinct !== undefined && { groups: groups.distinct }),
    };
  }
}

function sharedData(train: SplitPass, validation: SplitPass): SharedData {
  const groups = validation.groups.sharedWith(train.groups);
  return { ...sharedPictures(train.pictures.uses, validation.pictures.uses), ...(groups && { groups }) };
}

function chanceOf(
  train: SplitPass,
  validation: SplitPass,
  { mean }: AnswerGuesser,
  vocabulary: number,
): Chance {
  return {
    uniform: Math.log(vocabulary),
    answers: mean,
    unseen: validation.answers.unseenIn(train.answers),
  };
}
