/** Scores a model on data: what `lorikeet evaluate` does, for programs. */
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { keyOf } from '../data/image/source.ts';
import { normalisation } from '../metrics/match.ts';
import { createEncoder, encoderSettings } from '../train/encoder.ts';
import type { NoticeEvent } from '../train/events.ts';
import { versions } from '../train/version.ts';
import { type Contestant, scoredModel } from './contestant.ts';
import { writeEvaluation } from './evaluation-folder.ts';
import { type Answers, type Examination, examine, newExamination } from './examination.ts';
import { Examinee } from './examinee.ts';
import { judge } from './judge.ts';
import { judgedRows, withoutLost } from './judged-rows.ts';
import { type EvaluateOptions, type EvaluationPlan, noneLeft, planEvaluation, totalAnswers } from './plan.ts';
import type { Prediction } from './prediction.ts';
import type { LostRow, PictureSet } from './questions.ts';
import type { Scorecard } from './scorecard.ts';
import { answersOf, evidenceOf, type Found, writeFound } from './unfinished.ts';

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

/** The evaluation ended too soon: it was stopped, or an error follows. */
export interface UnfinishedEvent {
  type: 'unfinished';
  reason: string;
  /** Answers that there were, out of how many. */
  answers: number;
  totalAnswers: number;
  /** Where they are kept. */
  folder: string;
}

export type EvaluationEvent = AnsweringEvent | LostEvent | NoticeEvent | UnfinishedEvent | EvaluatedEvent;

/**
 * Scores a model on a split of a config's data. `config` comes from `loadConfig` or is written in place; its relative
 * paths are then relative to the working directory. Computes in the calling thread, which gets a turn between batches.
 *
 * A row that cannot be read is counted and named, and ends the evaluation only where the config says `data.onBadRow: stop`
 * itself. However it ends, no answer that was given is lost.
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
  const found: Found = { own: newExamination(), ...(plan.against && { other: newExamination() }) };
  let isOver = false;
  const keep = (reason: string) => {
    isOver = true;
    return writeFound(plan, found, reason);
  };
  try {
    for (const row of plan.lost) yield { type: 'lost', ...row };
    if (!(yield* examineAll(plan, found, begun))) {
      yield* unfinished(await keep('it was stopped'));
      return;
    }
    const { scorecard, predictions } = verdictOn(plan, found, begun);
    await writeEvaluation(plan.folder, scorecard, predictions);
    isOver = true;
    yield { type: 'evaluated', scorecard, predictions, folder: plan.folder };
  } catch (error) {
    // The first error is the one to tell, not that a full disk takes no more.
    if (!isOver) yield* unfinished(await keep((error as Error).message).catch(() => undefined));
    throw error;
  } finally {
    if (!isOver) await keep('nobody waited for its end').catch(() => {});
  }
}

function* unfinished(kept: Omit<UnfinishedEvent, 'type'> | undefined): Generator<UnfinishedEvent> {
  if (kept) yield { type: 'unfinished', ...kept };
}

/** False where it was stopped. */
async function* examineAll(
  plan: EvaluationPlan,
  { own, other }: Found,
  begun: number,
): AsyncGenerator<AnsweringEvent | LostEvent | NoticeEvent, boolean> {
  const isThrough = yield* examined(
    plan,
    { contestant: plan.model, guests: plan.guests, begun, before: 0 },
    own,
  );
  if (!isThrough || !plan.against || !other) return isThrough;
  const before = plan.answers + plan.answersShuffled;
  return yield* examined(plan, { contestant: plan.against, guests: new Map(), begun, before }, other);
}

function verdictOn(
  plan: EvaluationPlan,
  found: Found,
  begun: number,
): Pick<EvaluatedEvent, 'scorecard' | 'predictions'> {
  const lost = [...plan.lost, ...found.own.lost].sort((a, b) => a.row - b.row);
  const rows = judgedRows(evidenceOf(plan, found));
  if (rows.length === 0) throw noneLeft(plan.dataset, lost);
  const predictions = rows.map(({ prediction }) => prediction);
  const scorecard: Scorecard = {
    split: plan.split,
    file: plan.dataset.file,
    sha256: plan.dataset.sha256,
    trainFile: plan.trainFile,
    rows: new Set(predictions.map(({ row }) => row)).size,
    answers: rows.length,
    pictures: picturesOf(withoutLost(plan.sets, found.own)),
    clusteredBy: predictions.some(({ group }) => group !== undefined) ? 'group' : 'picture',
    clusters: new Set(rows.map(({ cluster }) => cluster)).size,
    normalisation,
    model: scoredModel(plan.model),
    ...judge(rows, plan.seed, plan.against && scoredModel(plan.against)),
    maxNewTokens: plan.maxNewTokens,
    lost,
    seed: plan.seed,
    answersComputed: answersOf(predictions),
    seconds: (performance.now() - begun) / 1000,
    versions: versions(),
  };
  return { scorecard, predictions };
}

function picturesOf(sets: readonly PictureSet[]): number {
  return new Set(sets.flatMap(({ images }) => images.map(keyOf))).size;
}

/** One model, and where in the whole it stands. */
interface Sitting {
  contestant: Contestant;
  guests: EvaluationPlan['guests'];
  begun: number;
  /** Answers of the model before it. */
  before: number;
}

async function* examined(
  plan: EvaluationPlan,
  { contestant, guests, begun, before }: Sitting,
  examination: Examination,
): AsyncGenerator<AnsweringEvent | LostEvent | NoticeEvent, boolean> {
  const { config, dataset, sets, maxNewTokens, isStrict, stopped } = plan;
  const encoder = await createEncoder(encoderSettings(config));
  const examinee = await Examinee.open(config, contestant, { maxNewTokens, stopped });
  try {
    const passing = examine({ examinee, dataset, encoder, sets, guests, isStrict, stopped }, examination);
    let next = await passing.next();
    for (; !next.done; next = await passing.next()) {
      for (const text of examinee.takeNotices()) yield { type: 'notice', text };
      // What the first model could not read, the other cannot either.
      if ('done' in next.value) yield answering(plan, next.value, begun, before);
      else if (before === 0) yield { type: 'lost', ...next.value };
    }
    for (const text of examinee.takeNotices()) yield { type: 'notice', text };
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
