import type { PullEvent } from '../hub/pull.ts';
import { count, duration, size } from '../words.ts';
import type { Screen } from './progress.ts';

/** Tells a pull as it goes. */
export interface PullProgress {
  show(event: PullEvent): void;
  /** A line of its own. */
  line(text: string): void;
  /** Takes the line that rewrites itself away. */
  end(): void;
}

/** Seconds between two lines on a terminal, and where there is none. */
const interval = { terminal: 0.2, plain: 10 };

/** How far back the rate looks, in seconds: an hour ago says little about what is left. */
const memory = 20;

export function createPullProgress(screen: Screen, now = () => performance.now() / 1000): PullProgress {
  let shown = false;
  let last = Number.NEGATIVE_INFINITY;
  let marks: { at: number; here: number }[] = [];
  const end = () => {
    if (shown) screen.write('\r\x1b[2K');
    shown = false;
  };
  const line = (text: string) => {
    end();
    screen.write(`${text}\n`);
  };
  const rateOf = (at: number, here: number): number | undefined => {
    if (marks.length > 0 && here < marks[marks.length - 1].here) marks = []; // a file began anew
    marks.push({ at, here });
    while (marks.length > 2 && at - marks[0].at > memory) marks.shift();
    const seconds = at - marks[0].at;
    return seconds >= 1 ? (here - marks[0].here) / seconds : undefined;
  };
  const progress = ({ file, here, bytes }: Extract<PullEvent, { type: 'progress' }>) => {
    const at = now();
    if (at - last < (screen.isTTY ? interval.terminal : interval.plain)) return;
    const rate = rateOf(at, here);
    last = at;
    const speed = rate ? `  ${size(rate)}/s, about ${duration((bytes - here) / rate)} left` : '';
    const text = `${size(here)} of ${size(bytes)}${speed}  ${file}`;
    if (!screen.isTTY) return line(text);
    end();
    screen.write(text.slice(0, (screen.columns || 80) - 1));
    shown = true;
  };
  return {
    end,
    line,
    show(event) {
      if (event.type === 'progress') return progress(event);
      if (event.type === 'wait') {
        return line(`Waiting ${duration(Math.max(1, event.seconds))}: ${event.reason}.`);
      }
      const { id, revision, commit, files, bytes, here } = event;
      const kept =
        here === 0 ? '' : here === bytes ? ', all of it here already' : `, ${size(here)} of it here already`;
      line(`${id}, ${revision} at ${commit.slice(0, 12)}: ${count(files, 'file')}, ${size(bytes)}${kept}`);
      marks = [{ at: now(), here }];
      if (!screen.isTTY) last = now(); // most of the small files are here before anybody asks
    },
  };
}
