export const schedules = ['linear', 'cosine', 'constant'] as const;
export type Schedule = (typeof schedules)[number];

export interface ScheduleLengths {
  /** The rate at the end of the warm-up. */
  base: number;
  totalSteps: number;
  /** Steps over which the rate grows from 0; 0 for none. */
  warmupSteps: number;
}

/**
 * The rate that step `s` uses, s from 0 to totalSteps - 1. Grows as base s / warmupSteps, so that a first
 * step with warm-up moves nothing; then stays, falls in a line to 0 at totalSteps, or along half a cosine
 * wave. The same operations in the same order as transformers' get_*_schedule_with_warmup.
 */
export function learningRate(schedule: Schedule, s: number, lengths: ScheduleLengths): number {
  const { base, totalSteps, warmupSteps } = lengths;
  if (s < warmupSteps) return base * (s / Math.max(1, warmupSteps));
  const falling = Math.max(1, totalSteps - warmupSteps);
  switch (schedule) {
    case 'constant':
      return base;
    case 'linear':
      return base * Math.max(0, (totalSteps - s) / falling);
    case 'cosine':
      return base * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((s - warmupSteps) / falling))));
  }
}

/** Warm-up steps of a ratio of the whole run, rounded up as transformers does. */
export function warmupStepsOf(ratio: number, totalSteps: number): number {
  return Math.ceil(totalSteps * ratio);
}
