import type { ScoringEvent } from './events.ts';

/** Milliseconds: what is over sooner than the first is silent, what takes longer speaks every second of the other. */
const silent = 2000;
const interval = 500;

/** Gives an event where it is time to say that `done` of the total are through; nothing at the end of it. */
export type ScoringClock = (done: number) => ScoringEvent | undefined;

export function startScoringClock({
  step,
  part,
  totalRows,
}: Pick<ScoringEvent, 'step' | 'part' | 'totalRows'>): ScoringClock {
  const begun = performance.now();
  let speakAt = begun + silent;
  return (rows) => {
    const now = performance.now();
    if (now < speakAt || rows === 0 || rows === totalRows) return undefined;
    speakAt = now + interval;
    const secondsLeft = ((now - begun) / 1000 / rows) * (totalRows - rows);
    return { type: 'scoring', step, part, rows, totalRows, secondsLeft };
  };
}
