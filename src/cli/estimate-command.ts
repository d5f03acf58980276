import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { type EstimatedEvent, estimate } from '../train/estimate.ts';
import { configWords } from './config-words.ts';
import { describeEstimate } from './estimate-words.ts';
import { createProgress, type Progress } from './progress.ts';
import { stopOnSignals } from './signals.ts';
import { createStatusLine, type StatusLine } from './status-line.ts';

export interface EstimateCommandOptions {
  set?: string[];
  json?: boolean;
}

/** Runs `lorikeet estimate`: 0 where the run fits, 1 where it does not, 130 where Ctrl-C stopped it. */
export async function estimateCommand(
  file: string | undefined,
  options: EstimateCommandOptions,
): Promise<number> {
  const words = configWords('estimate', file, options.set);
  const config = await loadConfig(words.file, { set: words.set });
  // What goes on is told beside the answer, which may be kept in a file.
  const progress = createProgress(options.json && !process.stderr.isTTY ? silent : process.stderr);
  const status = createStatusLine(options.json && !process.stderr.isTTY ? silent : process.stderr);
  const stop = stopOnSignals(() => progress.line('Stopping.'));
  try {
    const found = await watched(config, stop.signal, progress, status);
    progress.clear();
    status.clear();
    if (!found) return stop.exitCode();
    const { estimate: told } = found;
    process.stdout.write(
      options.json ? `${JSON.stringify(told, null, 2)}\n` : `${describeEstimate(config, found)}\n`,
    );
    return told.fits ? 0 : 1;
  } catch (error) {
    progress.end();
    throw error;
  } finally {
    stop.release();
  }
}

const silent = { write: () => {} };

async function watched(
  config: LoadedConfig,
  signal: AbortSignal,
  progress: Progress,
  status: StatusLine,
): Promise<EstimatedEvent | undefined> {
  for await (const event of estimate(config, { signal })) {
    if (event.type === 'estimated') return event;
    if (event.type === 'check') progress.show(event);
    else {
      progress.clear();
      status.show('measuring this machine, about three seconds');
    }
  }
  return undefined;
}
