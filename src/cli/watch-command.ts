import { LorikeetError } from '../errors.ts';
import { watch } from '../watch/watch.ts';
import { shortPath } from '../words.ts';

export interface WatchCommandOptions {
  port?: string;
}

/** What a person may have in mind when no port is named: the same address the next time. */
const usualPort = 4747;

/**
 * Runs `lorikeet watch` until Ctrl-C or SIGTERM, which end it well: the exit code is 0. The address is printed once, on
 * stdout.
 */
export async function watchCommand(run: string | undefined, options: WatchCommandOptions): Promise<number> {
  if (run === undefined) {
    throw new LorikeetError('config', {
      what: 'a run folder expected, got none',
      fix: 'Name it: lorikeet watch RUN, the folder that `output` of its config names.',
    });
  }
  const { url, close } = await watch(run, { port: portOf(options.port) });
  process.stdout.write(`${shortPath(run)} is shown at ${url}\n`);
  process.stderr.write('Ctrl-C ends it; the run goes on by itself.\n');
  await stopAsked();
  await close();
  return 0;
}

function portOf(text: string | undefined): number {
  if (text === undefined) return usualPort;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new LorikeetError('config', {
    what: `--port expected a whole number from 0 to 65535, got ${text}`,
    fix: 'Name a free one; 0 takes any.',
  });
}

function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
