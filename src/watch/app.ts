import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { LorikeetError } from '../errors.ts';
import { sendEvents } from './events.ts';
import type { Feed } from './feed.ts';
import { guard } from './guard.ts';
import { nowhere, parsePosition } from './position.ts';

export interface AppOptions {
  feed: Feed;
  /** Known once the server listens. */
  port: () => number;
  /** Ends the open connections. */
  closing: AbortSignal;
  /** Watchers at a time. */
  mostWatchers: number;
}

/** Two addresses, the page and its events. Nothing is served by a path that somebody names. */
export function createApp({ feed, port, closing, mostWatchers }: AppOptions): Hono {
  const app = new Hono();
  let watchers = 0;
  app.use(guard(port));
  app.get('/', (context) => {
    const page = feed.page();
    context.header('Content-Security-Policy', policyOf(page));
    return context.html(page);
  });
  app.get('/events', (context) => {
    if (watchers >= mostWatchers) {
      return context.text(`${mostWatchers} pages watch this run already.\n`, 503, { 'Retry-After': '5' });
    }
    const from =
      parsePosition(context.req.header('last-event-id')) ?? parsePosition(context.req.query('from'));
    watchers += 1;
    return streamSSE(context, async (stream) => {
      await sendEvents(stream, feed, from ?? nowhere, closing).finally(() => {
        watchers -= 1;
      });
    });
  });
  // Browsers ask for it unasked, and tell of an error where it is not there.
  app.get('/favicon.ico', (context) => context.body(null, 204));
  app.notFound((context) => context.text('Not found. The run is shown at /.\n', 404));
  app.onError((error, context) => {
    const known = error instanceof LorikeetError;
    return context.text(known ? `${error.message}\n` : 'This is a mistake of Lorikeet.\n', 500);
  });
  return app;
}

/** The page carries its policy itself, its scripts by their hashes; as a header it also keeps the page out of frames. */
function policyOf(page: string): string {
  const found = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page)?.[1];
  return `${(found ?? "default-src 'none'").replaceAll('&#39;', "'")}; frame-ancestors 'none'`;
}
