import { type FSWatcher, watch as watchFile } from 'node:fs';

export interface Changes {
  close(): void;
}

/** Milliseconds. Several changes within `gather` are one; `poll` is for file systems that tell of nothing. */
const gather = 200;
const poll = 2000;

/**
 * Calls `onChange` soon after something in one of the folders may have changed, and every two seconds at the latest:
 * network file systems do not say when another machine wrote. A folder that comes later is watched from then on.
 */
export function watchFolders(folders: readonly string[], onChange: () => void): Changes {
  const watchers = new Map<string, FSWatcher>();
  let gathering: NodeJS.Timeout | undefined;

  const soon = () => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      onChange();
    }, gather);
  };
  const listen = (folder: string) => {
    if (watchers.has(folder)) return;
    try {
      const watcher = watchFile(folder, soon);
      watchers.set(folder, watcher);
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(folder);
      });
    } catch {
      // Not there yet, or not to be watched: the clock looks after it.
    }
  };
  const timer = setInterval(() => {
    folders.forEach(listen);
    onChange();
  }, poll);
  folders.forEach(listen);

  return {
    close() {
      clearInterval(timer);
      clearTimeout(gathering);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
