/** Where an evaluation is kept. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { writeFolderAtomically } from '../formats/atomic.ts';
import {
  evaluationFiles,
  evaluationName,
  isEvaluation,
  removeEvaluation,
  unfinishedName,
} from '../train/evaluation-files.ts';
import { readRunRecord, written } from '../train/run-folder.ts';
import type { Contestant } from './contestant.ts';
import type { Prediction } from './prediction.ts';
import type { Scorecard } from './scorecard.ts';

/**
 * In the run that the scored weights come from; beside the config's `output` where they come from none, because a run
 * starts in an empty folder.
 */
export function defaultFolder(output: string, { model, adapter }: Contestant, split: string): string {
  const run = path.dirname(adapter ?? model);
  const name = evaluationName(split);
  return readRunRecord(run) ? path.join(run, name) : `${output}-${name}`;
}

/** An earlier evaluation is replaced. Throws `run` for a folder that holds anything else. */
export function checkFolder(folder: string): void {
  if (!existsSync(folder)) return;
  const refuse = (what: string): never => {
    throw new LorikeetError('run', {
      file: folder,
      what,
      fix: 'Name another folder with --out (out in the library); nothing is removed that an evaluation did not write.',
    });
  };
  if (!statSync(folder).isDirectory()) refuse('a folder for the evaluation expected, got a file');
  const names = readdirSync(folder);
  const ours: readonly string[] = Object.values(evaluationFiles);
  const foreign = names.find((name) => !ours.includes(name));
  if (foreign !== undefined)
    refuse(`a new folder or an evaluation's expected, got one that holds ${foreign}`);
  if (names.length > 0 && !isEvaluation(folder))
    refuse(`a new folder or an evaluation's expected, got one whose ${names[0]} no evaluation wrote`);
}

/**
 * Both files or neither; what an earlier one left unfinished goes. Throws `run` where the disk is full or does not let itself
 * be written.
 */
export async function writeEvaluation(
  folder: string,
  scorecard: Scorecard,
  predictions: readonly Prediction[],
): Promise<void> {
  await writeBoth(folder, scorecard, predictions);
  removeEvaluation(unfinishedName(folder));
}

/** What is told of an evaluation that ended too soon, in the place of its scorecard. */
export type UnfinishedCard = Pick<
  Scorecard,
  'split' | 'file' | 'sha256' | 'model' | 'lost' | 'seed' | 'versions'
> & {
  unfinished: { reason: string; answers: number; totalAnswers: number };
};

/** Keeps what was answered beside the folder, which stays as it is. Gives the place. */
export async function writeUnfinished(
  folder: string,
  card: UnfinishedCard,
  predictions: readonly Prediction[],
): Promise<string> {
  const place = unfinishedName(folder);
  await writeBoth(place, card, predictions);
  return place;
}

async function writeBoth(
  folder: string,
  card: Scorecard | UnfinishedCard,
  predictions: readonly Prediction[],
): Promise<void> {
  checkFolder(folder); // somebody may have put something there meanwhile
  await written(folder, () =>
    writeFolderAtomically(folder, async (made) => {
      const lines = predictions.map((prediction) => `${JSON.stringify(prediction)}\n`);
      await writeFile(path.join(made, evaluationFiles.predictions), lines, { flush: true });
      const text = `${JSON.stringify(card, null, 2)}\n`;
      await writeFile(path.join(made, evaluationFiles.scorecard), text, { flush: true });
    }),
  );
}
