import { duration, number } from '../words.ts';

/** A count that goes on while something else is told; a line that rewrites itself where somebody looks. */
export interface Counter {
  tell(what: string, done: number, total: number): void;
  /** Takes the line away before other text is written. */
  clear(): void;
}

/** Seconds before the first word, and between two lines where there is no terminal. */
const silent = 2;
const plainInterval = 10;

export function createCounter(
  screen: { write(text: string): unknown; isTTY?: boolean },
  now = () => performance.now() / 1000,
): Counter {
  let begun: { what: string; at: number } | undefined;
  let lastPlain = Number.NEGATIVE_INFINITY;
  let shown = false;
  const clear = () => {
    if (shown) screen.write('\r\x1b[2K');
    shown = false;
  };
  return {
    clear,
    tell(what, done, total) {
      if (begun?.what !== what) begun = { what, at: now() };
      const seconds = now() - begun.at;
      if (seconds < silent) return;
      const left = done > 0 ? `  about ${duration((seconds / done) * (total - done))} left` : '';
      const text = `${what} ${number(done)}/${number(total)}${left}`;
      if (screen.isTTY) {
        clear();
        screen.write(text);
        shown = true;
      } else if (now() - lastPlain >= plainInterval) {
        lastPlain = now();
        screen.write(`${text}\n`);
      }
    },
  };
}
