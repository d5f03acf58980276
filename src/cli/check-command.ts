import { describeCheck } from '../check/describe.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { isBadRow } from '../data/place.ts';
import { LorikeetError } from '../errors.ts';
import { type CheckedEvent, check } from '../train/check.ts';
import { shortPath } from '../words.ts';
import { configWords } from './config-words.ts';
import { dataLines, table } from './data-lines.ts';
import { createProgress, type Progress } from './progress.ts';
import { stopOnSignals } from './signals.ts';

export interface CheckCommandOptions {
  set?: string[];
  json?: boolean;
}

/** Runs `lorikeet check` and gives the exit code: 0 where a run could start, 130 where Ctrl-C stopped the check. */
export async function checkCommand(file: string | undefined, options: CheckCommandOptions): Promise<number> {
  const words = configWords('check', file, options.set);
  const config = await loadConfig(words.file, { set: words.set });
  // With --json, stdout is for the one document.
  const progress = createProgress(options.json ? silentUnlessTerminal(process.stderr) : process.stdout);
  const stop = stopOnSignals(() => progress.line('Stopping.'));
  try {
    const found = await watched(config, stop.signal, progress);
    progress.clear();
    if (!found) return stop.exitCode();
    process.stdout.write(options.json ? `${JSON.stringify(found.check, null, 2)}\n` : story(config, found));
    return 0;
  } catch (error) {
    progress.end();
    throw withWayOn(error, config);
  } finally {
    stop.release();
  }
}

async function watched(
  config: LoadedConfig,
  signal: AbortSignal,
  progress: Progress,
): Promise<CheckedEvent | undefined> {
  for await (const event of check(config, { signal })) {
    if (event.type === 'checked') return event;
    progress.show(event);
  }
  return undefined;
}

function silentUnlessTerminal(stream: NodeJS.WriteStream) {
  return stream.isTTY ? stream : { write: () => {} };
}

function story({ config }: LoadedConfig, { data, check: found }: CheckedEvent): string {
  const lines = [
    table([['Model', `${shortPath(config.model)} (its weights were not looked at)`], ...dataLines(data)]),
    ...describeCheck(found),
  ];
  return `${lines.join('\n')}\n\nA run can start from this.\n`;
}

/** The first bad row ends a check as it ends a run; who checks may want to see all of them. */
function withWayOn(error: unknown, { config }: LoadedConfig): unknown {
  const isOne = isBadRow(error) && error.place.row !== undefined && config.data.onBadRow === 'stop';
  if (!isOne) return error;
  const { code, what, fix, place, cause } = error;
  const all = 'With --set data.onBadRow=skip the check goes on and tells of every such row.';
  return new LorikeetError(code, { what, fix: fix ? `${fix} ${all}` : all, ...place, cause });
}
