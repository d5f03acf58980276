import { Worker } from 'node:worker_threads';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { TrainEvent } from '../train/events.ts';
import { checkOutput, markEnded } from '../train/run-folder.ts';
import { abandon, createStopFlag, raise, threadEvents } from '../train/thread.ts';
import type { WorkerInput } from './worker.ts';

export interface TrainOptions {
  /** Stops the run at the next step boundary and keeps what was learned; the last event is then still `finish`. */
  signal?: AbortSignal;
  /** Replace the run that stands in the output folder. Default false. */
  overwrite?: boolean;
}

/**
 * Trains as `lorikeet train` does, in a thread of its own, and yields what happens. `config` comes from `loadConfig`
 * or is written in place; its relative paths are then relative to the working directory.
 *
 * Leaving the loop early ends the thread after the graph run under way, which is waited for, and keeps what was written
 * so far; abort the signal instead to keep the last steps too. Stopped before its first step, a run ends without `finish` and writes nothing.
 *
 * @throws LorikeetError for anything wrong in config, data, model, adapter or numbers: `code` says which.
 */
export async function* train(
  config: LoadedConfig | ConfigInput,
  { signal, overwrite = false }: TrainOptions = {},
): AsyncGenerator<TrainEvent> {
  const loaded = 'decisions' in config ? config : resolveConfig(config);
  const { output } = loaded.config;
  checkOutput(output, overwrite);
  const stop = createStopFlag();
  const onAbort = () => raise(stop);
  if (signal?.aborted) raise(stop);
  signal?.addEventListener('abort', onAbort);
  const workerData: WorkerInput = { config: loaded, overwrite, stop };
  let started = false;
  let failure: unknown;
  try {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
    for await (const event of threadEvents(worker, () => abandon(stop))) {
      started ||= event.type === 'start';
      yield event;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    // A thread that died or was left could not say so itself.
    if (started) await endRecord(output, failure);
  }
}

/** The failure itself is the error to tell, not that it could not be written down. */
async function endRecord(output: string, failure: unknown): Promise<void> {
  if (failure) await markEnded(output, 'failed', messageOf(failure)).catch(() => {});
  else await markEnded(output, 'stopped');
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
