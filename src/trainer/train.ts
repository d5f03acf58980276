import { Worker } from 'node:worker_threads';
import { type LoadedConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { LorikeetError } from '../errors.ts';
import { keepBeating, newClaim } from '../formats/lock.ts';
import type { TrainEvent } from '../train/events.ts';
import { checkOutput, markEnded } from '../train/run-folder.ts';
import { unlockOutput } from '../train/run-lock.ts';
import { abandon, createStopFlag, raise, threadEvents } from '../train/thread.ts';
import type { WorkerInput } from './worker.ts';

export interface TrainOptions {
  /** Stops the run after the micro-batch under way and keeps a checkpoint; the last event is then still `finish`. */
  signal?: AbortSignal;
  /** Replace the run that stands in the output folder. Default false. */
  overwrite?: boolean;
  /**
   * Go on with the run that stands in the output folder, from its newest whole checkpoint (true) or from the one of this
   * path. Without a whole checkpoint the run starts at step 0; a finished run is left as it is, and its `finish` told again.
   */
  resume?: boolean | string;
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
  { signal, overwrite = false, resume }: TrainOptions = {},
): AsyncGenerator<TrainEvent> {
  const loaded = 'decisions' in config ? config : resolveConfig(config);
  const { output } = loaded.config;
  checkIntent(overwrite, resume);
  checkOutput(output, overwrite || Boolean(resume));
  const claim = newClaim();
  const stop = createStopFlag();
  const onAbort = () => raise(stop);
  if (signal?.aborted) raise(stop);
  signal?.addEventListener('abort', onAbort);
  const workerData: WorkerInput = { config: loaded, overwrite, resume: resume || undefined, claim, stop };
  const rest = keepBeating(output, claim);
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
    rest();
    unlockOutput(output, claim);
  }
}

function checkIntent(overwrite: boolean, resume: boolean | string | undefined): void {
  if (!overwrite || !resume) return;
  throw new LorikeetError('config', {
    what: 'resume and overwrite exclude each other',
    fix: 'Resume goes on with the run that stands in the output folder, overwrite replaces it.',
  });
}

/** The failure itself is the error to tell, not that it could not be written down. */
async function endRecord(output: string, failure: unknown): Promise<void> {
  if (failure) await markEnded(output, 'failed', messageOf(failure)).catch(() => {});
  else await markEnded(output, 'stopped');
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
