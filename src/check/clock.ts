import type { CheckEvent, Split } from '../train/events.ts';

/** Milliseconds: a check shorter than the first is silent, a longer one speaks every second of the other. */
const silent = 2000;
const interval = 500;
/** How long the thread may go on without looking up. */
const breath = 50;

/** When the check has something to say. */
export interface CheckClock {
  /** Asked after every row: an event where it is time for one, `pause` where others should have a turn. */
  tick(split: Split, rows: number, splitRows: number): CheckEvent | 'pause' | undefined;
}

/** @param totalRows of all splits, for the time that is left. */
export function startClock(totalRows: number, now = () => performance.now()): CheckClock {
  const begun = now();
  let speakAt = begun + silent;
  let pauseAt = begun + breath;
  let done = 0;
  return {
    tick(split, rows, splitRows) {
      done++;
      const time = now();
      if (time >= speakAt) {
        speakAt = time + interval;
        const secondsLeft = ((time - begun) / 1000 / done) * (totalRows - done);
        return { type: 'check', split, rows, totalRows: splitRows, secondsLeft };
      }
      if (time < pauseAt) return undefined;
      pauseAt = time + breath;
      return 'pause';
    },
  };
}
