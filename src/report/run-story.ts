import type { BaselineEvent, EvaluateEvent, FinishEvent, StepEvent, WarningEvent } from '../train/events.ts';
import type { RowScore } from '../train/row-scores.ts';
import type { RunRecord } from '../train/run-folder.ts';
import type { ToldScorecard } from './read-scorecards.ts';

/** A run as its folder tells it: its own, copied from elsewhere, finished, crashed or still going. */
export interface RunStory {
  /** Absolute. */
  folder: string;
  /** The folder's last name, for titles. */
  name: string;
  /** What wrote it. Of a Hugging Face folder `adapterConfig` is known and `record` is not. */
  source: 'lorikeet' | 'huggingface';
  status: RunRecord['status'] | 'unknown';
  record?: RunRecord;
  adapterConfig?: Record<string, unknown>;
  baseline?: BaselineEvent;
  steps: StepPoint[];
  evaluations: EvaluationPoint[];
  /** Of numbers that went wrong, where the run gave any. */
  warnings?: WarningPoint[];
  finish?: FinishPoint;
  /** Validation and training rows at the start and at the last evaluation. */
  scores: { start: RowScore[]; last: RowScore[] };
  /** What `lorikeet evaluate` left in the folder, the test split first. */
  scorecards?: ToldScorecard[];
  /** JPEG bytes by `RowScore.picture`, read when asked for; nothing where it is not there. */
  picture(name: string): Uint8Array | undefined;
  /** What the folder should hold and does not, or what could not be read: sentences for people. */
  missing: string[];
  /** What these files do not say at all, the label rule first (Hugging Face folders). */
  unknown: string[];
}

/** Other tools and older versions know less; what ours always have is optional here. */
export type StepPoint = Pick<StepEvent, 'step' | 'loss'> & Partial<StepEvent>;
export type EvaluationPoint = Pick<EvaluateEvent, 'step' | 'loss'> & Partial<EvaluateEvent>;
export type WarningPoint = Pick<WarningEvent, 'kind' | 'step' | 'applied' | 'rows'>;
export type FinishPoint = Pick<FinishEvent, 'status' | 'step'> & Partial<FinishEvent>;
