/** Ctrl-C and SIGTERM, turned into an `AbortSignal` the first time and into the end of the process the second. */

export interface Stop {
  signal: AbortSignal;
  /** What the process exits with where the run was stopped: 130 or 143, as shells count. */
  exitCode(): number;
  /** Gives the signals back their usual meaning. */
  release(): void;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** A second signal within this many milliseconds is the same key press, handed on by a wrapper such as npm. */
const echo = 500;

export function stopOnSignals(onFirst: () => void): Stop {
  const controller = new AbortController();
  let code = 0;
  let firstAt = 0;
  const handle = (name: NodeJS.Signals) => {
    if (code === 0) {
      code = exitCodes[name as keyof typeof exitCodes];
      firstAt = performance.now();
      onFirst();
      controller.abort();
    } else if (performance.now() - firstAt > echo) {
      release();
      // Not process.exit: that waits for the training thread, which may be minutes deep in a graph run.
      process.kill(process.pid, name);
    }
  };
  const names = Object.keys(exitCodes) as NodeJS.Signals[];
  const release = () => {
    for (const name of names) process.off(name, handle);
  };
  for (const name of names) process.on(name, handle);
  return { signal: controller.signal, exitCode: () => code, release };
}
