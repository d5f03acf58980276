/** The program's end of the line to the model's thread. */
import { Worker } from 'node:worker_threads';
import { LorikeetError } from '../errors.ts';
import { createStopFlag, raise, type StopFlag } from '../train/thread.ts';
import { errorFromWire } from '../train/wire.ts';
import type { Call, Method, Methods, Reply } from './calls.ts';
import type { AnswerHooks } from './engine.ts';

export type CallHooks = Omit<AnswerHooks, 'stopped'> & { signal?: AbortSignal };

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
  hooks: CallHooks;
  stop: StopFlag;
}

export class ModelThread {
  // Without the program's own flags: `--input-type` of a `node -e` would stop a thread.
  readonly #worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [] });
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #ended?: string;

  constructor() {
    this.#worker.on('message', (reply: Reply) => this.#take(reply));
    this.#worker.on('error', (error) => this.#end(error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', (code) => this.#end(`it ended with code ${code}`));
    this.#worker.unref();
  }

  /** Calls run one after the other. An aborted signal ends the decoding of one, not the thread. */
  async call<M extends Method>(
    method: M,
    parameters: Parameters<Methods[M]>,
    hooks: CallHooks = {},
  ): Promise<ReturnType<Methods[M]>> {
    if (this.#ended !== undefined) throw gone(this.#ended);
    const stop = createStopFlag();
    const onAbort = () => raise(stop);
    if (hooks.signal?.aborted) onAbort();
    hooks.signal?.addEventListener('abort', onAbort);
    const call: Call = { call: this.#calls++, method, parameters, stop };
    this.#worker.ref(); // a program stays alive for an answer it waits for, and for nothing else
    try {
      return (await new Promise<unknown>((resolve, reject) => {
        this.#pending.set(call.call, { resolve, reject, hooks, stop });
        this.#worker.postMessage(call);
      })) as ReturnType<Methods[M]>;
    } finally {
      this.#pending.delete(call.call);
      hooks.signal?.removeEventListener('abort', onAbort);
      if (this.#pending.size === 0) this.#worker.unref();
    }
  }

  /**
   * Ends the thread; calls that still wait fail. The graph run under way is waited for: a thread that is ended inside one
   * takes the whole process with it.
   */
  async end(): Promise<void> {
    const waiting = [...this.#pending.values()];
    const closed = this.#ended === undefined ? this.call('close', []) : undefined;
    this.#ended ??= 'the model was closed';
    for (const { stop, reject } of waiting) {
      raise(stop);
      reject(gone(this.#ended));
    }
    await closed?.catch(() => {}); // a thread that died is as closed
    await this.#worker.terminate();
  }

  #take(reply: Reply): void {
    const pending = this.#pending.get(reply.call);
    if (!pending) return;
    if ('text' in reply) pending.hooks.onText?.(reply.answer, reply.text);
    else if ('prompt' in reply) pending.hooks.onPrompt?.(reply.prompt);
    else if ('notice' in reply) pending.hooks.onNotice?.(reply.notice);
    else if ('error' in reply) pending.reject(errorFromWire(reply.error));
    else pending.resolve(reply.result);
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    for (const { reject } of this.#pending.values()) reject(gone(this.#ended));
  }
}

function gone(reason: string): LorikeetError {
  return new LorikeetError('engine', {
    what: `the model's thread expected to answer, but ${reason}`,
    fix: 'Load the model again; where memory ran out, lower image.maxPixels or ask fewer questions at a time.',
  });
}
