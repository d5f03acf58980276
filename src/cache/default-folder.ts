import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where kept things are where no config says it: `$LORIKEET_CACHE`, `$XDG_CACHE_HOME/lorikeet` or `~/.cache/lorikeet`. */
export function defaultCache(env: Readonly<Record<string, string | undefined>>): string {
  if (env.LORIKEET_CACHE) return resolve(env.LORIKEET_CACHE);
  return join(env.XDG_CACHE_HOME ? resolve(env.XDG_CACHE_HOME) : join(homedir(), '.cache'), 'lorikeet');
}
