import type { Answer } from './engine.ts';
import type { CallHooks } from './model-thread.ts';

/**
 * An answer as it comes: text pieces of whole characters, and the whole of it as `result`. The answer begins with the
 * call. Leaving a loop over it early stops it; `result` then holds what there was.
 */
export interface AnswerStream extends AsyncIterable<string> {
  readonly result: Promise<Answer>;
}

export function answerStream(
  start: (hooks: CallHooks) => Promise<Answer>,
  { signal, onPrompt, onNotice }: CallHooks = {},
): AnswerStream {
  const leave = new AbortController();
  const pieces: string[] = [];
  let ended = false;
  let wake = () => {};
  const result = start({
    signal: signal ? AbortSignal.any([signal, leave.signal]) : leave.signal,
    onPrompt,
    onNotice,
    onText: (_, text) => {
      pieces.push(text);
      wake();
    },
  }).finally(() => {
    ended = true;
    wake();
  });
  result.catch(() => {}); // told to whoever iterates or awaits it
  async function* iterate() {
    try {
      while (true) {
        while (pieces.length > 0) yield pieces.shift()!;
        if (ended) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      await result;
    } finally {
      leave.abort();
    }
  }
  return { result, [Symbol.asyncIterator]: iterate };
}
