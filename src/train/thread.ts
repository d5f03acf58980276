import type { Worker } from 'node:worker_threads';
import type { TrainEvent } from './events.ts';
import { errorFromWire, type WireError } from './wire.ts';

/** What the training thread posts: its events, what it enters, and at the end that it is done or why it is not. */
export type ThreadMessage =
  | { event: TrainEvent }
  | { entering: Entering }
  | { done: true }
  | { error: WireError };

/** The graph run of training that comes next. */
export interface Entering {
  step: number;
  rows?: number[];
}

/**
 * The events of a training thread. Ends when the thread says so; throws its error, or `run` where it dies
 * without a word. Where the loop is left early, `leave` asks the thread to end and is waited for: a thread that is ended
 * inside a graph run takes the whole process with it, because the engine's exception finds nobody who could catch it.
 */
export async function* threadEvents(worker: Worker, leave: () => void): AsyncGenerator<TrainEvent> {
  const inbox: Exclude<ThreadMessage, { entering: Entering }>[] = [];
  let place: Entering | undefined;
  let wake = () => {};
  let isOver = () => {};
  const over = new Promise<void>((resolve) => {
    isOver = resolve;
  });
  const post = (message: ThreadMessage) => {
    if ('entering' in message) {
      place = message.entering;
      return;
    }
    inbox.push(message);
    if (!('event' in message)) isOver();
    else if (message.event.type === 'step') place = { step: message.event.step }; // an evaluation may follow
    wake();
  };
  worker.on('message', post);
  worker.on('error', (error) => post({ error: wireOfCrash(error, place) }));
  worker.on('exit', (code) => post({ error: wireOfCrash(`it ended with code ${code}`, place) }));
  try {
    while (true) {
      while (inbox.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const message = inbox.shift()!;
      if ('done' in message) return;
      if ('error' in message) throw errorFromWire(message.error);
      yield message.event;
    }
  } finally {
    leave();
    await over;
    await worker.terminate();
  }
}

function wireOfCrash(cause: unknown, place: Entering | undefined): WireError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return {
    code: 'run',
    message: '',
    what: `the training thread expected to go on, but ${reason}`,
    fix: 'Where memory ran out, lower pack.maxTokens or keep train.recompute on, and go on with --resume; or lower image.maxPixels.',
    place: { ...place },
    stack: cause instanceof Error ? cause.stack : undefined,
  };
}

/** Shared between threads, because the training thread is too busy to read a message. */
export interface StopFlag {
  buffer: SharedArrayBuffer;
}

export function createStopFlag(): StopFlag {
  return { buffer: new SharedArrayBuffer(4) };
}

/** Ask to stop after the micro-batch under way and to keep what was learned. */
export function raise(flag: StopFlag): void {
  Atomics.compareExchange(new Int32Array(flag.buffer), 0, 0, 1);
}

/** Ask to end after the graph run under way: nobody listens any more. */
export function abandon(flag: StopFlag): void {
  Atomics.store(new Int32Array(flag.buffer), 0, 2);
}

export function isRaised(flag: StopFlag): boolean {
  return Atomics.load(new Int32Array(flag.buffer), 0) > 0;
}

export function isAbandoned(flag: StopFlag): boolean {
  return Atomics.load(new Int32Array(flag.buffer), 0) === 2;
}
