import type { CacheFacts } from '../cache/matrix-cache.ts';
import type { DataCheck } from '../check/data-check.ts';
import type { BestMetric } from '../config/best-metrics.ts';
import type { LoraConfig } from '../config/schema.ts';
import type { Interval } from '../metrics/bootstrap.ts';
import type { Sharing } from './sharing.ts';

/**
 * What a run tells while it goes on. Events are plain JSON: they cross threads, and `baseline`, `step`, `evaluate`,
 * `warning` and `finish` are the lines of `metrics.jsonl` as they stand here.
 */
export type TrainEvent =
  | CheckEvent
  | NoticeEvent
  | SkipEvent
  | StartEvent
  | EstimateEvent
  | StepEvent
  | WarningEvent
  | ScoringEvent
  | BaselineEvent
  | EvaluateEvent
  | CheckpointEvent
  | FinishEvent;

/**
 * The fields of events that tell of time, of memory and of what a cache knew already: all else is the same, bit for bit,
 * whenever the same run is run again on the same machine, interrupted or not.
 */
export const timingFields: Readonly<Record<string, readonly string[]>> = {
  check: ['secondsLeft'],
  estimate: ['totalSeconds', 'tokensPerSecond'],
  step: ['tokensPerSecond', 'secondsLeft', 'seconds', 'memory'],
  scoring: ['secondsLeft'],
  baseline: ['seconds'],
  evaluate: ['seconds'],
  finish: ['seconds', 'peakMemory', 'pictures'],
};

/** An event, or a line of `metrics.jsonl`, without them. */
export function withoutTiming<T extends { type: string }>(event: T): Partial<T> {
  const dropped = new Map(Object.entries(timingFields)).get(event.type) ?? [];
  const kept = Object.entries(event).filter(([name]) => !dropped.includes(name));
  return Object.fromEntries(kept) as Partial<T>;
}

/** Something that the run decided, and why. Kept in `run.json`. */
export interface Decision {
  /** Named as in the config where it is a word of it: `train.threads`. */
  what: string;
  value: unknown;
  reason: string;
}

export type Split = 'train' | 'validation';

/** The pass over the data before step 1 is under way; comes about twice a second where the pass takes long. */
export interface CheckEvent {
  type: 'check';
  split: Split;
  rows: number;
  totalRows: number;
  /** Timing: until all splits are checked. */
  secondsLeft: number;
}

/** Something a person should know that does not stop the run. */
export interface NoticeEvent {
  type: 'notice';
  text: string;
}

/**
 * A row whose picture turned out to be damaged when its pixels were decoded (`data.onBadRow: skip`). Every step and
 * evaluation that it belongs to goes on without it and divides by the label tokens of the others. Comes once a row.
 */
export interface SkipEvent {
  type: 'skip';
  split: Split;
  row: number;
  reason: string;
  /** Rows of the split that were lost so, this one counted. */
  lost: number;
}

/** What the check pass found in one data file. */
export interface DataSummary {
  file: string;
  sha256: string;
  /** The form of its rows: `flat`, `messages` ... */
  form: string;
  /** Our field names to the file's columns. */
  fields: Record<string, string>;
  /** The fields that nobody named: found by what their columns are called. */
  guessed: string[];
  /** Rows that are used. */
  rows: number;
  skipped: number;
  images: number;
  /** Over the rows that are used. */
  tokens: number;
  labelTokens: number;
  longestRow: number;
  /** Rows that `maxLength` cut the end off; counted above by what is left of them. */
  cutRows: number;
}

/** Everything is loaded and compiled; the first step begins. */
export interface StartEvent {
  type: 'start';
  model: string;
  output: string;
  /** What trains: `cpu`, and why it was chosen stands in the decisions. */
  device: string;
  threads: number;
  data: { train: DataSummary; validation?: DataSummary };
  /** What the pass over the data found beside that. */
  check: DataCheck;
  base: BaseFacts;
  method: 'lora' | 'full';
  /** As they were settled: an adapter that is gone on from brings its own. */
  lora?: LoraConfig & { scale: number };
  trained: { tensors: number; parameters: number; modules: number };
  epochs: number;
  totalSteps: number;
  /** What the training rows have in common, and what of it is computed once. */
  sharing: Sharing;
  /** What the run will hold, planned before it was compiled; mapped weights are not counted. */
  memory?: PlannedMemory;
  decisions: Decision[];
  /** Each time that the run was gone on with after an interruption, this one last; absent where it never was. */
  resumed?: Resumption[];
}

export interface Resumption {
  /** ISO 8601. */
  at: string;
  /** Steps that were kept: those after it were done again. */
  step: number;
}

/** Bytes. */
export interface PlannedMemory {
  needed: number;
  /** `memory` of the config, or what the machine has left. */
  limit: { bytes: number; from: 'memory' | 'machine' };
  /** The words that were picked to fit `memory`; none without it. */
  picked: Decision[];
}

/** The model that training starts from. */
export interface BaseFacts {
  /** `model_type` of its config.json. */
  modelType: string;
  /** Parameters of the base alone, a tied head counted once. */
  parameters: number;
  /** V, the rows of the head. */
  vocabulary: number;
  /** As the weights are stored. */
  dtypes: string[];
}

/** The time that the whole run will take, measured on its first micro-batches. */
export interface EstimateEvent {
  type: 'estimate';
  totalSeconds: number;
  tokensPerSecond: number;
}

/** One optimizer step. */
export interface StepEvent {
  type: 'step';
  /** From 1. */
  step: number;
  /** From 1. */
  epoch: number;
  /** The mean over all label tokens of the step, natural log, before the step's update. */
  loss: number;
  /** Global 2-norm of the step's mean gradient, before clipping. */
  gradNorm: number;
  /** The rate that this step used. */
  learningRate: number;
  labelTokens: number;
  /** Rows of the step, without those that were lost. */
  rows: number;
  /** Distinct pictures of these rows. */
  pictures: number;
  /** Tokens of these rows as separate samples, those of images counted. */
  rowTokens: number;
  /** Tokens that went through the model: what rows share counts once in each pack. */
  tokens: number;
  /** Timing: over the last steps, without evaluations. */
  tokensPerSecond: number;
  /** Timing: what is left of the run, evaluations counted in. */
  secondsLeft: number;
  /** Timing: since training began, evaluations counted in; what lay between a stop and its resume is not. */
  seconds: number;
  /** Bytes that the process holds in memory, mapped weights counted as far as they were touched. */
  memory: number;
}

/** The numbers of a step went wrong, and the run goes on (`train.onNotFinite`, `train.explosion`, `train.onStuck`). */
export interface WarningEvent {
  type: 'warning';
  kind: 'not-finite' | 'explosion' | 'stuck';
  step: number;
  /** Whether the step's update was applied. */
  applied: boolean;
  /** What was seen, in sentences. */
  text: string;
  /** The data file that the rows are of. */
  file?: string;
  /** The rows to blame, the worst first, with their mean loss where it is known. */
  rows: { row: number; loss: number | null }[];
}

/** An evaluation is under way; comes about twice a second where it takes long. */
export interface ScoringEvent {
  type: 'scoring';
  step: number;
  /** Rows are scored, or answered. */
  part: 'losses' | 'answers';
  rows: number;
  totalRows: number;
  /** Timing. */
  secondsLeft: number;
}

/** Rows scored without dropout. Every mean weighs label tokens, never rows or batches. */
export interface Scores {
  /** Mean over all label tokens of the validation data. */
  loss: number;
  /** Rows that were scored. */
  rows: number;
  /** Label tokens. */
  tokens: number;
  /** Share of label tokens that were the likeliest token. */
  tokenAccuracy: number;
  /** Share of assistant turns whose every content token and `<|im_end|>` was the likeliest token. */
  exactMatch: number;
  /** Mean over the answers' content tokens alone; null where there are none. */
  answerLoss: number | null;
  /**
   * Expected calibration error over label tokens: how far the share of hits lies from the probability of the likeliest
   * token, in ten bins of that probability (Guo et al. 2017).
   */
  calibrationError: number;
}

/**
 * The likeliest answers to the same validation rows every time (`train.evaluateAnswers`), asked and scored as
 * `lorikeet evaluate` does it. A conversation has several answers.
 */
export interface GivenAnswers {
  rows: number;
  answers: number;
  /** Share of answers that are the right one after trimming and lower-casing. */
  exactMatch: number;
  /** What 95 of 100 resamples of pictures (or groups) give for it; null where there is one alone. */
  interval: { low: number; high: number } | null;
  /** Token F1, a mean over answers. */
  f1: number;
  /** Exact match of always giving the commonest training answer to the question, without a look at the picture. */
  floor: number;
  /** Answers that had not ended by themselves when they were cut. */
  cut: number;
  /** Timing. */
  seconds: number;
}

/** The validation data through the model as it is after a step. */
export interface Evaluation extends Scores {
  step: number;
  /** The same training rows every time, scored as the validation rows are: without dropout, at the same step. */
  train?: Scores;
  /** Validation loss less that of the training rows, its interval by bootstrap over pictures (rows without one). */
  gap?: Interval;
  answers?: GivenAnswers;
  /** Timing. */
  seconds: number;
}

/** The validation data through the model before step 1. */
export interface BaselineEvent extends Evaluation {
  type: 'baseline';
  step: 0;
}

export interface EvaluateEvent extends Evaluation {
  type: 'evaluate';
  /** The best so far by `train.bestBy`: this adapter stands in `best/`. */
  best: boolean;
}

/** A checkpoint is whole and can be gone on from. */
export interface CheckpointEvent {
  type: 'checkpoint';
  /** Steps that it stands for. */
  step: number;
  /** Its folder. */
  path: string;
}

/** The evaluation that `best/` stands for. */
export interface Best {
  step: number;
  /** Its validation loss, whatever chose it. */
  loss: number;
  /** What chose it (`train.bestBy`), and what that was. */
  metric: BestMetric;
  value: number;
}

/** Why a run ended before its last step and is finished all the same (`train.patience`). */
export interface EarlyStop {
  /** Evaluations in a row that were no better than the best. */
  patience: number;
  bestStep: number;
}

/** The run is over and its folder is whole. */
export interface FinishEvent {
  type: 'finish';
  /** `stopped` where somebody asked for it before the last step; whom patience left is `finished`. */
  status: 'finished' | 'stopped';
  /** Steps done. */
  step: number;
  totalSteps: number;
  best: Best | null;
  stoppedEarly?: EarlyStop;
  /** Timing. */
  seconds: number;
  /** The most that the process held in memory, bytes. */
  peakMemory: number;
  /** Where what the vision tower made of pictures came from; absent where the tower was trained. */
  pictures?: CacheFacts;
}
