import { setTimeout as sleep } from 'node:timers/promises';
import { type Asked, gaveUp, noNetwork, refusalOf } from './refusals.ts';

export interface FetchOptions extends Asked {
  signal?: AbortSignal;
  /** Told before each wait. */
  onWait?(seconds: number, reason: string): void;
  /** Waits so many seconds; for tests. */
  wait?(seconds: number, signal?: AbortSignal): Promise<void>;
}

/** Asks the hub; every answer that comes back is good, or one of those the caller takes. */
export type HubFetch = (url: string, init?: RequestInit, taken?: readonly number[]) => Promise<Response>;

const mostTries = 5;
const networkTries = 3;
/** Seconds that somebody may be kept waiting at the hub's wish. */
const longestWait = 300;

/**
 * fetch with the token, for addresses of the endpoint alone: a redirect to a file store leaves the token behind. Waits as long
 * as the hub asks for (429), longer each time where it fails (5xx) or cannot be reached, and not for ever.
 *
 * @throws LorikeetError 'hub' for any other answer, and where it gives up; the signal's reason where it is aborted.
 */
export function createHubFetch(options: FetchOptions): HubFetch {
  const { access, signal, onWait, wait = waitFor } = options;
  const pause = async (seconds: number, reason: string) => {
    onWait?.(seconds, reason);
    await wait(seconds, signal);
    signal?.throwIfAborted();
  };
  const ask = async (url: string, init: RequestInit): Promise<Response | { error: unknown }> => {
    try {
      return await fetch(url, init);
    } catch (error) {
      signal?.throwIfAborted();
      return { error };
    }
  };
  return async (url, init = {}, taken = []) => {
    checkAddress(url, options);
    const headers = new Headers(init.headers);
    headers.set('user-agent', 'lorikeet');
    if (access.token) headers.set('authorization', `Bearer ${access.token}`);
    for (let tries = 1; ; tries++) {
      const backoff = 2 ** (tries - 1);
      const response = await ask(url, { ...init, headers, signal });
      if ('error' in response) {
        if (tries >= networkTries) throw noNetwork(response.error, options);
        await pause(backoff, 'the hub cannot be reached');
        continue;
      }
      const { status } = response;
      if (response.ok || taken.includes(status)) return response;
      await response.body?.cancel();
      if (status !== 429 && status < 500) throw refusalOf(response, options);
      const asked = status === 429 ? retryAfter(response.headers) : undefined;
      const seconds = asked ?? backoff;
      if (tries >= mostTries || seconds > longestWait) throw gaveUp(status, tries, options, asked);
      await pause(seconds, status === 429 ? 'the hub asks to wait (429)' : `the hub answers ${status}`);
    }
  };
}

function checkAddress(url: string, asked: Asked): void {
  if (new URL(url).origin === new URL(asked.access.endpoint).origin) return;
  throw noNetwork(new Error(`a page of its answer at another address, ${url.slice(0, 200)}`), asked);
}

/** Seconds, from a number or a date, or from `RateLimit: ...;t=SECONDS`, which the hub sends. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after') ?? /\bt=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  if (text === undefined || text === null) return undefined;
  const seconds = /^\s*\d+\s*$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, seconds) : undefined;
}

/** Ends early, without an error, where the signal is aborted. */
export async function waitFor(seconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
}
