import { Worker } from 'node:worker_threads';
import type { Example } from '../data/example.ts';
import { LorikeetError } from '../errors.ts';
import type { EncoderSettings } from './encoder.ts';
import type { KnownImages } from './load-unknown.ts';
import type { LoadReply, LoadRequest } from './loader-worker.ts';
import type { Sample } from './step.ts';
import { errorFromWire } from './wire.ts';

/** Loads samples where it does not disturb the one who computes. */
export interface Loader {
  /** Pictures that are known already are left as they are, by their places in the conversation. */
  load(example: Example, known?: KnownImages): Promise<Sample>;
  close(): Promise<void>;
}

interface Pending {
  resolve: (sample: Sample) => void;
  reject: (error: Error) => void;
}

/** A thread of its own that works on while this one is blocked in a graph run. */
export function startLoader(settings: EncoderSettings): Loader {
  const worker = new Worker(new URL('./loader-worker.js', import.meta.url), { workerData: settings });
  const pending = new Map<number, Pending>();
  let nextId = 0;
  let gone: Error | undefined;
  const fail = (error: Error) => {
    gone ??= error;
    for (const { reject } of pending.values()) reject(gone);
    pending.clear();
  };
  worker.on('message', (reply: LoadReply) => {
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    if ('error' in reply) waiting?.reject(errorFromWire(reply.error));
    else waiting?.resolve(reply.sample);
  });
  worker.on('error', (error) => fail(lost(error.message, error)));
  worker.on('exit', (code) => fail(lost(`it ended with code ${code}`)));
  return {
    load(example, known) {
      if (gone) return Promise.reject(gone);
      const request: LoadRequest = { id: nextId++, example, known };
      return new Promise((resolve, reject) => {
        pending.set(request.id, { resolve, reject });
        worker.postMessage(request);
      });
    },
    async close() {
      await worker.terminate();
    },
  };
}

function lost(reason: string, cause?: unknown): LorikeetError {
  return new LorikeetError('run', {
    what: `the thread that loads pictures expected to go on, but ${reason}`,
    fix: 'Where memory ran out, lower image.maxPixels.',
    cause,
  });
}
