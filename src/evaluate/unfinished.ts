/** What there is of an evaluation before its end, and how it is kept where that never comes. */
import { blindGuesser } from '../metrics/floor.ts';
import { versions } from '../train/version.ts';
import { scoredModel } from './contestant.ts';
import { writeUnfinished } from './evaluation-folder.ts';
import type { Examination } from './examination.ts';
import { type Evidence, givenAnswers } from './judged-rows.ts';
import { type EvaluationPlan, totalAnswers } from './plan.ts';
import type { Prediction } from './prediction.ts';

/** What the models answered so far. */
export interface Found {
  own: Examination;
  other?: Examination;
}

export function evidenceOf(plan: EvaluationPlan, found: Found): Evidence {
  const { dataset, sets, training } = plan;
  return { dataset, sets, guess: blindGuesser(training), ...found };
}

/** Those to shuffled pictures and of the other model among them. */
export function answersOf(predictions: readonly Prediction[]): number {
  return predictions.reduce((sum, row) => sum + 1 + Number(!!row.shuffled) + Number(!!row.against), 0);
}

/** Writes every answer that was given, and why there are no more; nothing where there was none. */
export async function writeFound(
  plan: EvaluationPlan,
  found: Found,
  reason: string,
): Promise<{ reason: string; answers: number; totalAnswers: number; folder: string } | undefined> {
  const predictions = givenAnswers(evidenceOf(plan, found)).map(({ prediction }) => prediction);
  if (predictions.length === 0) return undefined;
  const unfinished = { reason, answers: answersOf(predictions), totalAnswers: totalAnswers(plan) };
  const { split, dataset, model, lost, seed } = plan;
  const card = {
    unfinished,
    split,
    file: dataset.file,
    sha256: dataset.sha256,
    model: scoredModel(model),
    lost: [...lost, ...found.own.lost],
    seed,
    versions: versions(),
  };
  return { ...unfinished, folder: await writeUnfinished(plan.folder, card, predictions) };
}
