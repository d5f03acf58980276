import type { Screen } from './progress.ts';

/** One line that is rewritten on a terminal, and told every ten seconds where there is none. */
export interface StatusLine {
  show(text: string): void;
  /** Takes the line away. */
  clear(): void;
}

/** Seconds between two plain lines, and between two changes of a terminal's line. */
const plainInterval = 10;
const terminalInterval = 0.1;

export function createStatusLine(screen: Screen, now = () => performance.now() / 1000): StatusLine {
  const interval = screen.isTTY ? terminalInterval : plainInterval;
  // The first plain line waits too: short work is told by its end alone.
  let last = screen.isTTY ? Number.NEGATIVE_INFINITY : now();
  let shown = false;
  const erase = () => {
    if (shown && screen.isTTY) screen.write('\r\x1b[2K');
    shown = false;
  };
  return {
    show(text) {
      if (now() - last < interval) return;
      last = now();
      erase();
      screen.write(screen.isTTY ? text.slice(0, (screen.columns || 80) - 1) : `${text}\n`);
      shown = true;
    },
    clear: erase,
  };
}
