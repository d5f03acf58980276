/** Rows, losses and a padded batch as transformers has them: reference/parity/audit.py. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stored } from '../support/parity.ts';
import { tinyRun } from '../train/tiny-run.ts';

export interface ReferenceRow {
  data: { image: string; question: string; answer: string };
  ids: number[];
  /** Positions of our label tokens. */
  labels: number[];
  /** `model(labels=input_ids.clone()).loss`, and each token's, [T - 1]. */
  allLoss: number;
  allLosses: Stored;
  /** [N] of our label tokens; [N, 5] of the likeliest. */
  probabilities: Stored;
  topIds: number[][];
  topProbabilities: Stored;
}

export interface ReferenceBatch {
  dump: { input_ids: number[][]; labels: number[][]; attention_mask: number[][] };
  loss: number;
  labelTokens: number;
}

export const reference: { rows: ReferenceRow[]; right: ReferenceBatch; left: ReferenceBatch } = JSON.parse(
  readFileSync(new URL('../fixtures/inspect/audit.json', import.meta.url), 'utf8'),
);

const pictures: Record<string, string> = { 'rgb.png': 'a.png', 'grey.png': 'b.png' };

/** The reference's model and rows in a folder; gives the config's path. */
export function referenceRun(changes: object = {}): string {
  const rows = reference.rows.map(({ data }) => ({ ...data, image: pictures[data.image] }));
  const file = join(tinyRun({ rows }), 'config.yaml');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...config, image: { minPixels: 4000, maxPixels: 8000 }, ...changes }));
  return file;
}
