import type { SSEStreamingApi } from 'hono/streaming';
import type { Feed } from './feed.ts';
import type { Sent } from './messages.ts';
import { formatPosition, type Position } from './position.ts';

/** Milliseconds of silence after which a watcher is told that the connection stands; the page gives up after three. */
export const beatEvery = 15_000;
/** Milliseconds after which the browser tries again where the connection broke. */
const retry = 1000;

/**
 * Sends what somebody lacks who has come as far as `from`, and goes on until the run ends or one of the two leaves.
 * Nothing is queued: a slow watcher gets later, and in one piece, what came meanwhile.
 */
export async function sendEvents(
  stream: SSEStreamingApi,
  feed: Feed,
  from: Position,
  closing: AbortSignal,
): Promise<void> {
  const sent: Sent = { sections: new Map(), state: '' };
  const bell = createBell();
  let position = from;
  const isOpen = () => !stream.aborted && !closing.aborted;
  const send = (event: string, data: object) =>
    stream.writeSSE({ event, data: JSON.stringify(data), id: formatPosition(position), retry });

  stream.onAbort(bell.ring);
  closing.addEventListener('abort', bell.ring);
  const leave = feed.join(bell.ring);
  try {
    while (isOpen()) {
      for (const message of feed.since(position, sent)) {
        position = message.position;
        await send(message.event, message.data);
        if (message.event === 'restart') return;
      }
      if (feed.ended()) return await send('end', {});
      if (!(await bell.wait(beatEvery)) && isOpen()) await send('beat', {});
    }
  } finally {
    leave();
    closing.removeEventListener('abort', bell.ring);
  }
}

/** Something to wait for that may ring before anybody waits. */
function createBell() {
  let hasRung = false;
  let wake = () => {};
  return {
    ring() {
      hasRung = true;
      wake();
    },
    /** Whether it rang within the time. */
    async wait(milliseconds: number): Promise<boolean> {
      if (!hasRung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      const rang = hasRung;
      hasRung = false;
      wake = () => {};
      return rang;
    },
  };
}
