/**
 * Whether the numbers of a run go wrong while they are still finite: gradients that explode, a loss that stays where
 * guessing is. Functions over the figures of the last steps, which a checkpoint can hold.
 */
import { LorikeetError } from '../errors.ts';
import { figure, percent } from '../words.ts';
import type { WarningEvent } from './events.ts';
import type { RowLoss } from './gradients.ts';

export interface NumbersPolicy {
  /** What a loss or gradient that is NaN or infinite does: ends the run, or leaves its step out. */
  onNotFinite: 'stop' | 'skip';
  /** Times the median of the last gradient norms from which a norm is an explosion; 0 looks for none. */
  explosion: number;
  onExplosion: 'warn' | 'skip' | 'stop';
  onStuck: 'warn' | 'stop';
  /** V; a guesser that knows nothing pays ln V a token. */
  vocabulary: number;
  warmupSteps: number;
}

/** What is remembered of the steps before. Plain JSON. */
export interface NumbersState {
  /** Of the last steps, the latest last. */
  norms: { norm: number; applied: boolean }[];
  /** Of the last steps after the warm-up. */
  losses: number[];
  stuckTold: boolean;
  /** Steps in a row that were left out because their numbers were not finite. */
  lostInARow: number;
}

/** Steps whose norms make the median. */
const medianSteps = 50;
/** Before so many norms are known nothing is said of them. */
const leastNorms = 20;
/** Steps whose largest norm counts too: what the run took before, as from a hard row now and then, is no explosion. */
const memorySteps = 200;
/** An explosion that grows from step to step must not hide behind itself: the last steps set no largest norm. */
const latestSteps = 5;
const aboveLargest = 2;

const stuckSteps = 50;
/** A mean loss this close to ln V is as good as ln V. */
const stuckWithin = 0.03;

const mostLostInARow = 10;
const rowsNamed = 3;

export function startNumbers(): NumbersState {
  return { norms: [], losses: [], stuckTold: false, lostInARow: 0 };
}

/** A step whose gradient is known and not yet applied. */
export interface StepNumbers {
  /** From 1. */
  step: number;
  loss: number;
  /** Before clipping. */
  norm: number;
  /** What its rows cost. */
  rows: readonly RowLoss[];
  file?: string;
}

/**
 * Looks at a step before its update and remembers it. `apply` is false where the update is to be left out.
 *
 * @throws LorikeetError 'training' with the rows that cost the most, where the policy is to stop.
 */
export function lookAtStep(
  state: NumbersState,
  policy: NumbersPolicy,
  numbers: StepNumbers,
): { apply: boolean; warnings: WarningEvent[] } {
  state.lostInARow = 0;
  const warnings: WarningEvent[] = [];
  const median = explodedFrom(state, policy, numbers.norm);
  if (median !== undefined) warnings.push(explosionOf(numbers, median, policy.onExplosion));
  if (numbers.step > policy.warmupSteps) state.losses = [...state.losses, numbers.loss].slice(-stuckSteps);
  if (isStuck(state, policy)) warnings.push(stuckAt(state, policy, numbers));
  const apply = median === undefined || policy.onExplosion !== 'skip';
  state.norms = [...state.norms, { norm: numbers.norm, applied: apply }].slice(-memorySteps);
  return { apply, warnings };
}

/** The median that this norm is so far above; nothing where it is no explosion. */
function explodedFrom(
  { norms }: NumbersState,
  { explosion }: NumbersPolicy,
  norm: number,
): number | undefined {
  if (explosion === 0 || norms.length < leastNorms) return undefined;
  const sorted = norms
    .slice(-medianSteps)
    .map((known) => known.norm)
    .sort((a, b) => a - b);
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  if (!(median > 0 && norm > explosion * median)) return undefined;
  const before = norms.slice(0, -latestSteps).filter(({ applied }) => applied);
  const largest = before.reduce((most, known) => Math.max(most, known.norm), 0);
  return norm > aboveLargest * largest ? median : undefined;
}

const doneAbout = {
  warn: '',
  skip: ' Its update was left out.',
  stop: '',
};

function explosionOf(
  { step, norm, rows, file }: StepNumbers,
  median: number,
  policy: NumbersPolicy['onExplosion'],
): WarningEvent {
  const worst = worstOf(rows);
  const what =
    `the gradient norm ${figure(norm)} is ${figure(norm / median)} times the median of the last steps (${figure(median)}). ` +
    `${blame(worst)}`;
  const fix = `Look at them with \`lorikeet inspect\`; a lower train.learningRate or train.maxGradNorm takes such steps more gently.`;
  if (policy === 'stop') {
    const place = { step, file, rows: worst.map(({ row }) => row) };
    throw new LorikeetError('training', {
      ...place,
      what,
      fix: `${fix} adapter/ holds what was learned before.`,
    });
  }
  return {
    type: 'warning',
    kind: 'explosion',
    step,
    applied: policy === 'warn',
    text: `${what}${doneAbout[policy]} ${fix}`,
    ...(file !== undefined && { file }),
    rows: worst,
  };
}

function isStuck(state: NumbersState, policy: NumbersPolicy): boolean {
  if (state.stuckTold || policy.vocabulary < 2 || state.losses.length < stuckSteps) return false;
  return distanceFromUniform(state, policy) < stuckWithin;
}

/** As a share of ln V. */
function distanceFromUniform({ losses }: NumbersState, { vocabulary }: NumbersPolicy): number {
  const uniform = Math.log(vocabulary);
  return Math.abs(mean(losses) - uniform) / uniform;
}

function stuckAt(
  state: NumbersState,
  { vocabulary, onStuck }: NumbersPolicy,
  { step }: StepNumbers,
): WarningEvent {
  state.stuckTold = true;
  const level = figure(mean(state.losses));
  const what =
    `the loss of the last ${stuckSteps} steps is ${level}, within ${percent(stuckWithin)} of ln ${vocabulary} = ` +
    `${figure(Math.log(vocabulary))}: what guessing any word of the vocabulary costs`;
  const fix =
    'Check that `model` holds trained weights with the tokenizer that belongs to them; of a model that begins from nothing, raise train.learningRate.';
  if (onStuck === 'stop') throw new LorikeetError('training', { step, what, fix });
  return { type: 'warning', kind: 'stuck', step, applied: true, text: `${what}. ${fix}`, rows: [] };
}

/**
 * A step whose numbers are not finite, left out whole.
 *
 * @throws LorikeetError 'training' where so many steps in a row were lost that nothing is learned any more.
 */
export function leaveOut(state: NumbersState, error: LorikeetError): WarningEvent {
  const { step = 0, file, rows = [], tensor } = error.place;
  state.lostInARow++;
  if (state.lostInARow >= mostLostInARow) {
    throw new LorikeetError('training', {
      ...error.place,
      what: `${error.what}, as in ${state.lostInARow - 1} steps before it`,
      fix: 'Lower train.learningRate, or look at the values of the checkpoint and the adapter: these are no single rows.',
      cause: error,
    });
  }
  return {
    type: 'warning',
    kind: 'not-finite',
    step,
    applied: false,
    text: `${tensor ? `tensor ${tensor}: ` : ''}${error.what}. The step was left out (train.onNotFinite: skip).`,
    ...(file !== undefined && { file }),
    rows: rows.map((row) => ({ row, loss: null })),
  };
}

/** Whether an error is one that this policy leaves its step out for. */
export function isLeftOut(error: unknown, policy: NumbersPolicy | undefined): error is LorikeetError {
  return policy?.onNotFinite === 'skip' && error instanceof LorikeetError && error.code === 'training';
}

/** By their mean loss: what a row adds to the gradient is not known apart. */
function worstOf(rows: readonly RowLoss[]): RowLoss[] {
  return [...rows].sort((a, b) => b.loss - a.loss).slice(0, rowsNamed);
}

function blame(rows: readonly RowLoss[]): string {
  const named = rows.map(({ row, loss }) => `row ${row} (loss ${figure(loss)})`).join(', ');
  return `Of its rows these cost the most: ${named}.`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
