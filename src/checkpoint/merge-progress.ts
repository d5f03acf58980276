import type { MergeProgress } from './merge-report.ts';

/** Counts the bytes of a merge, tells how long it will take, and ends it where it was asked to end. */
export interface Pace {
  /** Throws the signal's reason once it is aborted. */
  pass(phase: MergeProgress['phase'], bytes: number): void;
}

export function startPace(
  totalBytes: number,
  tell: (progress: MergeProgress) => void = () => {},
  signal?: AbortSignal,
): Pace {
  const started = performance.now();
  let bytes = 0;
  return {
    pass(phase, more) {
      signal?.throwIfAborted();
      bytes += more;
      const seconds = (performance.now() - started) / 1000;
      tell({ phase, bytes, totalBytes, secondsLeft: (seconds / bytes) * (totalBytes - bytes) });
    },
  };
}
