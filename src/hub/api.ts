/** The hub's API through @huggingface/hub, which this file alone imports, and only when something is pulled. */
import { LorikeetError } from '../errors.ts';
import type { HubFetch } from './hub-fetch.ts';
import { isCommit } from './model-id.ts';
import type { HubFile } from './needed-files.ts';
import { type Asked, hubError, noNetwork } from './refusals.ts';

export interface HubRevision {
  commit: string;
  /** Those at the top of the repository. */
  files: HubFile[];
}

const longestAnswer = 32 * 2 ** 20;
const mostFiles = 10_000;

/**
 * The commit that a revision stands at, and its files with their sizes and hashes.
 *
 * @throws LorikeetError 'hub' where the hub refuses, or its answer is not one.
 */
export async function readRevision(asked: Asked, hubFetch: HubFetch): Promise<HubRevision> {
  const { id, revision, access } = asked;
  const options = { hubUrl: access.endpoint, fetch: boundedFetch(hubFetch, asked) };
  try {
    const { listFiles, modelInfo } = await import('@huggingface/hub');
    const info = await modelInfo({ name: id, revision, additionalFields: ['sha'], ...options });
    const commit = info.sha;
    if (typeof commit !== 'string' || !isCommit(commit)) throw new Error('it names no commit');
    const files: HubFile[] = [];
    let entries = 0;
    for await (const entry of listFiles({
      repo: { type: 'model', name: id },
      revision: commit,
      ...options,
    })) {
      if (++entries > mostFiles) throw new Error(`it lists more than ${mostFiles} files`);
      if (entry.type === 'file' && isPlainName(entry.path)) files.push(fileOf(entry));
    }
    return { commit, files };
  } catch (cause) {
    if (cause instanceof LorikeetError || (cause as Error).name === 'AbortError') throw cause;
    throw hubError(
      `${access.endpoint} expected to answer as the hub does about ${id}, got something else: ${(cause as Error).message.split('\n')[0].slice(0, 200)}`,
      'Check HF_ENDPOINT, and whether a proxy or a login page answers in its place.',
      cause,
    );
  }
}

/** Only names are followed, never paths: they become names of files on this machine. */
function isPlainName(path: unknown): path is string {
  return typeof path === 'string' && path.length <= 200 && /^[\w][\w.-]*$/.test(path);
}

function fileOf(entry: {
  path: string;
  size: number;
  oid?: string;
  lfs?: { oid: string; size: number };
}): HubFile {
  const { path, lfs, oid = '' } = entry;
  const [bytes, etag] = lfs ? [lfs.size, lfs.oid] : [entry.size, oid];
  const isHash = lfs ? /^[0-9a-f]{64}$/.test(etag) : isCommit(etag);
  if (!isHash || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new Error(`its list gives no size and hash for ${path}`);
  }
  return { path, bytes, etag, hash: lfs ? 'sha256' : 'git' };
}

/** The package reads whole answers; none is longer than this. */
function boundedFetch(hubFetch: HubFetch, asked: Asked): typeof fetch {
  return async (input, init) => {
    const response = await hubFetch(String(input), init);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of untilCut(response, asked)) {
      bytes += chunk.length;
      if (bytes > longestAnswer) throw new Error(`an answer of more than ${longestAnswer} bytes`);
      chunks.push(chunk);
    }
    const { status, headers } = response;
    return new Response(Buffer.concat(chunks), { status, headers });
  };
}

/** Half an answer is no answer of another kind: the connection broke. */
async function* untilCut({ body }: Response, asked: Asked): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: Error) => {
        throw cause.name === 'AbortError' ? cause : noNetwork(cause, asked);
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
