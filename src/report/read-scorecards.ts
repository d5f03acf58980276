/** `evaluation-<split>/evaluation.json`: what `lorikeet evaluate` left in a run's folder, as far as the report tells it. */
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../formats/json.ts';
import { evaluationFiles, evaluationName } from '../train/evaluation-files.ts';
import { readText, Unreadable } from './bounded-files.ts';

/** A scorecard names every row that was lost and every answer that changed. */
const sizeLimit = 64 * 2 ** 20;

const text = z.string();
const whole = z.int().min(0);
const number = z.number();

const estimate = z.object({ value: number, low: number.nullable(), high: number.nullable() });
const scores = z.object({
  answers: whole,
  exactMatch: estimate,
  tokenF1: estimate,
  floor: estimate,
  shuffled: estimate.optional().catch(undefined),
});
const scorecard = z.object({
  split: z.enum(['train', 'validation', 'test']),
  answers: whole,
  clusteredBy: z.enum(['group', 'picture']),
  clusters: whole,
  model: z.object({ model: text, adapter: text.nullable() }),
  overall: scores,
  types: z.array(scores.extend({ type: text })).catch([]),
  floor: z.object({ verdict: text }),
  imageTest: z
    .object({ verdict: text, rightElsewhere: estimate.optional().catch(undefined) })
    .optional()
    .catch(undefined),
  cut: whole,
  lost: z.array(z.unknown()).transform((lost) => lost.length),
});

/** What a report tells of an evaluation; `lost` counts rows. */
export type ToldScorecard = z.output<typeof scorecard>;

export interface ToldScorecards {
  scorecards: ToldScorecard[];
  /** Sentences. */
  missing: string[];
}

export const scoredSplits = ['test', 'validation', 'train'] as const;

/** The file of a split's evaluation, from the run's folder. */
export function scorecardFile(split: string): string {
  return `${evaluationName(split)}/${evaluationFiles.scorecard}`;
}

/** Every evaluation that stands in the folder; one that was never made is not missed. */
export function readScorecards(folder: string): ToldScorecards {
  const told: ToldScorecards = { scorecards: [], missing: [] };
  for (const split of scoredSplits) {
    const file = scorecardFile(split);
    try {
      const { success, data, error } = scorecard.safeParse(parsed(readText(join(folder, file), sizeLimit)));
      if (success) told.scorecards.push(data);
      else {
        const where = error.issues[0].path.map(String).join('.').slice(0, 80);
        told.missing.push(`${file} is not as this version reads it (${where}): its scores are not shown.`);
      }
    } catch (problem) {
      if (!(problem instanceof Unreadable)) throw problem;
      if (!problem.isMissing) told.missing.push(`${file} ${problem.message}: its scores are not shown.`);
    }
  }
  return told;
}

function parsed(json: string): unknown {
  try {
    return parseJson(json);
  } catch {
    throw new Unreadable('is not whole JSON');
  }
}
