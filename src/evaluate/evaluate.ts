/** Scores a model on data: what `lorikeet evaluate` does, for programs. */
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { normalisation } from '../metrics/match.ts';
import { createEncoder, encoderSettings } from '../train/encoder.ts';
import type { NoticeEvent } from '../train/events.ts';
import { versions } from '../train/version.ts';
import type { Contestant } from './contestant.ts';
import { writeEvaluation } from './evaluation-folder.ts';
import { type Answers, type Examination, examine } from './examination.ts';
import { Examinee } from './examinee.ts';
import { judge } from './judge.ts';
import { judgedRows } from './judged-rows.ts';
import { type EvaluateOptions, type EvaluationPlan, noneLeft, planEvaluation, totalAnswers } from './plan.ts';
import type { Prediction } from './prediction.ts';
import type { LostRow } from './questions.ts';
import type { Scorecard, ScoredModel } from './scorecard.ts';

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

export type EvaluationEvent = AnsweringEvent | LostEvent | NoticeEvent | EvaluatedEvent;

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
    answersComputed: predictions.reduce(
      (sum, row) => sum + 1 + Number(!!row.shuffled) + Number(!!row.against),
      0,
    ),
    seconds: (performance.now() - begun) / 1000,
    versions: versions(),
  };
  await writeEvaluation(plan.folder, scorecard, predictions);
  yield { type: 'evaluated', scorecard, predictions, folder: plan.folder };
}

async function* examined(
  plan: EvaluationPlan,
  contestant: Contestant,
  guests: EvaluationPlan['guests'],
  begun: number,
  before: number,
): AsyncGenerator<AnsweringEvent | LostEvent | NoticeEvent, Examination | undefined> {
  const { config, dataset, sets, maxNewTokens, isStrict, stopped } = plan;
  const encoder = await createEncoder(encoderSettings(config));
  const examinee = await Examinee.open(config, contestant, { maxNewTokens, stopped });
  try {
    const passing = examine({ examinee, dataset, encoder, sets, guests, isStrict, stopped });
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

function scoredModel({ model, adapter, reason }: Contestant): ScoredModel {
  return { model, adapter: adapter ?? null, reason };
}
