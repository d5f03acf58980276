import type { AdamWState } from '../optim/adamw.ts';
import { noneYet, type Standing } from './best.ts';
import { type NumbersState, startNumbers } from './numbers.ts';

/**
 * Where a run is: with the trained parameters and the optimizer's moments, all that its next step and evaluation depend
 * on. Order, dropout and rates are pure functions of seed and step. Plain JSON, as it stands in a checkpoint.
 */
export interface TrainingState {
  /** Steps done. */
  step: number;
  /** The step of the last evaluation; 0 is the one before step 1, null where there was none. */
  evaluated: number | null;
  /** Which evaluation was the best, and how long ago. */
  standing: Standing;
  /** Timing: since training began, the time between a stop and its resume left out. */
  seconds: number;
  /** What the watch over the run's numbers remembers of the last steps. */
  numbers: NumbersState;
}

/** What an interrupted run left, to be gone on from. */
export interface Interrupted {
  state: TrainingState;
  optimizer: AdamWState;
}

export function freshState(): TrainingState {
  return { step: 0, evaluated: null, standing: noneYet, seconds: 0, numbers: startNumbers() };
}
