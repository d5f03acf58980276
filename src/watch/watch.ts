import { resolve } from 'node:path';
import { createApp } from './app.ts';
import { createFeed } from './feed.ts';
import { listen } from './listen.ts';
import { tellReport } from './live-page.ts';

export interface WatchOptions {
  /** Default 0: any that is free. */
  port?: number;
  /** Closes the server. */
  signal?: AbortSignal;
}

export interface Watching {
  /** Where a browser on this machine finds the page. */
  url: string;
  /** Ends open pages' connections too. */
  close(): Promise<void>;
}

/** Pages that may watch at a time. */
const mostWatchers = 32;

/**
 * Serves the report of a run folder on 127.0.0.1, kept up to date while the run goes on. What is served is made from
 * the folder's own files; it is read while somebody watches, by one reader for all.
 *
 * @throws LorikeetError 'run' where the folder is no run's; 'config' where the port cannot be had.
 */
export async function watch(folder: string, { port = 0, signal }: WatchOptions = {}): Promise<Watching> {
  const path = resolve(folder);
  const closing = new AbortController();
  const feed = createFeed(path, () => tellReport(path));
  feed.page();
  let listening = { port };
  const app = createApp({ feed, port: () => listening.port, closing: closing.signal, mostWatchers });
  const server = await listen(app, port);
  listening = server;
  let closed: Promise<void> | undefined;
  const close = () => {
    closing.abort();
    feed.close();
    closed ??= server.close();
    return closed;
  };
  if (signal?.aborted) await close();
  signal?.addEventListener('abort', () => void close(), { once: true });
  return { url: `http://127.0.0.1:${server.port}/`, close };
}
