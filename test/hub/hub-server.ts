/** A server on this machine that plays the hub, and a second one that plays the store its large files are in. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export const commit = 'c0ffee0000000000000000000000000000c0ffee';

export interface HubAsked {
  /** `hub` or `store`. */
  host: string;
  path: string;
  range?: string;
  authorization?: string;
}

/** Answers in the place of the hub; false leaves the request to it. */
export type Instead = (asked: HubAsked, response: ServerResponse) => boolean;

export interface PlayedHub {
  url: string;
  asked: HubAsked[];
  /** Requests for bytes of a file, by the ranges they asked for. */
  ranges(file: string): (string | undefined)[];
  instead: Instead;
  /** Sends so many bytes of each answer from the store, then breaks the connection. */
  cutAfter: number;
}

export const model = 'Qwen/Tiny-VL';

/** Files above this many bytes are large: told by SHA-256, and kept in the store. */
const largeFrom = 1000;

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
export const gitHash = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
export const etagOf = (bytes: Uint8Array) => (bytes.length >= largeFrom ? sha256(bytes) : gitHash(bytes));

export async function playHub(files: Record<string, Uint8Array>, revision = 'main'): Promise<PlayedHub> {
  const asked: HubAsked[] = [];
  const hub: PlayedHub = {
    url: '',
    asked,
    ranges: (file) => asked.filter(({ path }) => path.endsWith(`/${file}`)).map(({ range }) => range),
    instead: () => false,
    cutAfter: Number.POSITIVE_INFINITY,
  };
  const noted = (host: string, answer: (asked: HubAsked, response: ServerResponse) => void) => {
    return (request: IncomingMessage, response: ServerResponse) => {
      const { range, authorization } = request.headers;
      const one = { host, path: request.url!.split('?')[0], range, authorization };
      asked.push(one);
      if (!hub.instead(one, response)) answer(one, response);
    };
  };
  const sendFile = ({ range, host }: HubAsked, response: ServerResponse, bytes: Uint8Array) => {
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (start > 0 && start >= bytes.length) return response.writeHead(416).end();
    const headers: Record<string, string | number> = { 'content-length': bytes.length - start };
    if (range) headers['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(range ? 206 : 200, headers);
    if (host === 'store' && bytes.length - start > hub.cutAfter) {
      response.write(bytes.subarray(start, start + hub.cutAfter), () => response.destroy());
      return response;
    }
    return response.end(bytes.subarray(start));
  };
  const store = await listen(
    noted('store', (one, response) => sendFile(one, response, files[one.path.slice(1)])),
  );
  const api = (rest: string, response: ServerResponse) => {
    const json = (value: unknown) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (rest === `revision/${encodeURIComponent(revision)}` || rest === `revision/${commit}`)
      return json({ _id: '1', id: model, sha: commit, private: false, gated: false, likes: 0, downloads: 0 });
    if (rest === `tree/${commit}`) return json(Object.entries(files).map(entry));
    return response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
  };
  hub.url = await listen(
    noted('hub', (one, response) => {
      const apiPath = `/api/models/${model}/`;
      if (one.path.startsWith(apiPath)) return api(one.path.slice(apiPath.length), response);
      const name = one.path.startsWith(`/${model}/resolve/${commit}/`) ? one.path.split('/').at(-1)! : '';
      const bytes = files[name];
      if (!bytes) return response.writeHead(401, { 'x-error-code': 'RepoNotFound' }).end();
      response.setHeader('x-repo-commit', commit);
      if (bytes.length < largeFrom) {
        response.setHeader('etag', `"${etagOf(bytes)}"`);
        return sendFile(one, response, bytes);
      }
      response.setHeader('x-linked-etag', `"${etagOf(bytes)}"`);
      response.setHeader('x-linked-size', bytes.length);
      return response.writeHead(302, { location: `${store}/${name}` }).end();
    }),
  );
  return hub;
}

function entry([path, bytes]: [string, Uint8Array]): object {
  const plain = { type: 'file', path, size: bytes.length, oid: gitHash(bytes) };
  return bytes.length < largeFrom
    ? plain
    : { ...plain, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } };
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
