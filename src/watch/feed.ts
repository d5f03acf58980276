import { join } from 'node:path';
import { runFiles } from '../train/run-folder.ts';
import { type Changes, watchFolders } from './changes.ts';
import { followCurves } from './curves.ts';
import { type Message, messagesSince, type Sent } from './messages.ts';
import type { Position } from './position.ts';
import { followTelling, type Told } from './telling.ts';

/** The one reader of a run folder, however many watch. It reads while somebody does and the run goes on. */
export interface Feed {
  /** The page as it is now. Reads nothing that is being followed already. */
  page(): string;
  /** Calls `onChange` whenever there may be more to send. Gives back how to leave. */
  join(onChange: () => void): () => void;
  /** What somebody lacks who has come as far as `position`. */
  since(position: Position, sent: Sent): Message[];
  /** The run is over and all of it was read. */
  ended(): boolean;
  close(): void;
}

export function createFeed(folder: string, tell: () => Told): Feed {
  const curves = followCurves(join(folder, runFiles.metrics));
  const telling = followTelling(folder, tell);
  const listeners = new Set<() => void>();
  let changes: Changes | undefined;
  let later: NodeJS.Timeout | undefined;
  let isWhole = false;

  // The state first: what was written before the run ended is then seen by the readings after it.
  const refresh = () => {
    clearTimeout(later);
    telling.readState();
    curves.refresh();
    const wait = telling.refresh(curves.evaluations.length, curves.steps.length);
    isWhole = wait === undefined;
    if (wait !== undefined && changes) later = setTimeout(refreshAll, wait);
  };
  const ended = () => isWhole && !['running', 'unknown'].includes(telling.status());
  const refreshAll = () => {
    refresh();
    for (const listener of listeners) listener();
    if (ended()) rest();
  };
  const rest = () => {
    clearTimeout(later);
    changes?.close();
    changes = undefined;
  };
  const follow = () => {
    changes = watchFolders([folder, join(folder, runFiles.scores)], refreshAll);
    refresh();
    if (ended()) rest();
  };

  return {
    page() {
      if (!changes) refresh();
      return telling.told().page(telling.version());
    },
    join(onChange) {
      listeners.add(onChange);
      if (!changes) follow();
      return () => {
        listeners.delete(onChange);
        if (listeners.size === 0) rest();
      };
    },
    since: (position, sent) => messagesSince(position, sent, curves, telling),
    ended,
    close() {
      listeners.clear();
      rest();
    },
  };
}
