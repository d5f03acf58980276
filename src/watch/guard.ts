import type { MiddlewareHandler } from 'hono';

/**
 * Lets in what a browser on this machine asks for itself. Another name in `Host` is a foreign page whose name was
 * turned to this address (DNS rebinding); `Sec-Fetch-Site` tells of a foreign page that asks in the background.
 */
export function guard(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const { method } = context.req;
    if (!isOurs(context.req.header('host'), port())) {
      return context.text(`This address is served as http://127.0.0.1:${port()}/ alone.\n`, 403);
    }
    if (isForeign(context.req.header('sec-fetch-site'), context.req.header('sec-fetch-mode'))) {
      return context.text('Other sites may not read this.\n', 403);
    }
    if (method !== 'GET') return context.text('Only GET is served.\n', 405, { Allow: 'GET' });
    await next();
    for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value);
  };
}

function isOurs(host: string | undefined, port: number): boolean {
  const names = ['127.0.0.1', 'localhost', '[::1]'];
  return names.some((name) => host === `${name}:${port}` || (port === 80 && host === name));
}

function isForeign(site: string | undefined, mode: string | undefined): boolean {
  return (site === 'cross-site' || site === 'same-site') && mode !== 'navigate';
}

const headers = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
