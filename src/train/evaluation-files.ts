/** What `lorikeet evaluate` leaves in a run folder, so that the next run there can take it away again. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export const evaluationFiles = { scorecard: 'evaluation.json', predictions: 'predictions.jsonl' } as const;

/** The folder of a split's evaluation, in a run's folder or behind the name of one. */
export function evaluationName(split: string): string {
  return `evaluation-${split}`;
}

/** The folder beside an evaluation's that keeps what was answered when one ended too soon. */
export function unfinishedName(folder: string): string {
  return `${folder}-unfinished`;
}

/** Whether an evaluation of ours stands here. */
export function isEvaluation(folder: string): boolean {
  try {
    const card = JSON.parse(readFileSync(join(folder, evaluationFiles.scorecard), 'utf8'));
    return typeof card?.versions?.lorikeet === 'string';
  } catch {
    return false;
  }
}

/** Removes the evaluations of the run in this folder, and no file that anybody else wrote. */
export function removeEvaluations(run: string): void {
  for (const split of ['train', 'validation', 'test']) {
    const folder = join(run, evaluationName(split));
    removeEvaluation(folder);
    removeEvaluation(unfinishedName(folder));
  }
}

/** Removes the evaluation in this folder, where one of ours is there, and the folder where nothing else is in it. */
export function removeEvaluation(folder: string): void {
  if (!existsSync(folder) || !isEvaluation(folder)) return;
  for (const name of Object.values(evaluationFiles)) rmSync(join(folder, name), { force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
