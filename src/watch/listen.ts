import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { LorikeetError } from '../errors.ts';

export interface Listening {
  port: number;
  /** Ends when every connection is closed, open event streams too. */
  close(): Promise<void>;
}

/**
 * Serves on 127.0.0.1 alone; port 0 takes any that is free.
 *
 * @throws LorikeetError 'config' where the port is in use or may not be used.
 */
export async function listen(app: Hono, port: number): Promise<Listening> {
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(port, error)));
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function portError(port: number, cause: NodeJS.ErrnoException): LorikeetError {
  const found = { EADDRINUSE: 'one that is in use', EACCES: 'one that this user may not use' }[
    cause.code ?? ''
  ];
  return new LorikeetError('config', {
    what: `--port expected a free port, got ${port}, ${found ?? cause.message}`,
    fix: 'Name another one, or 0 for any that is free: --port 0.',
    cause,
  });
}
