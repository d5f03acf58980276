import { mkdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { readRevision } from './api.ts';
import { linkSnapshot, type RepoFolder, repoFolder, writeRef } from './cache.ts';
import { downloadBlob } from './download.ts';
import { type Environment, hubAccess, hubCache } from './environment.ts';
import { createHubFetch } from './hub-fetch.ts';
import { isRevision, parseModelId } from './model-id.ts';
import { type HubFile, neededFiles } from './needed-files.ts';
import { keptBytes } from './partial.ts';
import { hubError } from './refusals.ts';

export interface PullOptions {
  /** Branch, tag or commit; default `main`. `ORG/NAME@REVISION` says the same. */
  revision?: string;
  /** Stops the pull; what arrived is kept for the next one. */
  signal?: AbortSignal;
  onEvent?(event: PullEvent): void;
  /** Variables that say where the cache and the hub are; default: the process's own. */
  environment?: Environment;
}

export type PullEvent =
  /** What is going to happen. */
  | { type: 'plan'; id: string; revision: string; commit: string; files: number; bytes: number; here: number }
  /** Bytes of all files that are here; `file` is the one that arrives. */
  | { type: 'progress'; file: string; here: number; bytes: number }
  | { type: 'wait'; seconds: number; reason: string };

export interface Pulled {
  id: string;
  revision: string;
  commit: string;
  /** The snapshot: a folder in Hugging Face layout. */
  folder: string;
  files: number;
  bytes: number;
}

/** What a test puts in the place of this machine. */
export interface Machine {
  wait?(seconds: number, signal?: AbortSignal): Promise<void>;
  /** Bytes that may still be written to the disk of a folder. */
  freeBytes(folder: string): Promise<number>;
}

/** Left free for everything else that writes. */
const spareBytes = 64 * 2 ** 20;

const thisMachine: Machine = {
  async freeBytes(folder) {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

/**
 * Fetches the files of a model that training needs into the cache that Python's `huggingface_hub` uses too, and gives
 * its folder. The one function that reaches the network. Files that are there are not fetched again, beginnings of files
 * are gone on with, and a revision has its name only when all of its files are whole.
 *
 * @throws LorikeetError 'hub' for a name, a refusal of the hub, a broken connection, wrong bytes or a full disk; the
 *   signal's reason where it is aborted.
 */
export function pull(id: string, options: PullOptions = {}): Promise<Pulled> {
  return pullOn(thisMachine, id, options);
}

export async function pullOn(machine: Machine, written: string, options: PullOptions): Promise<Pulled> {
  const { signal, onEvent = () => {}, environment = process.env } = options;
  const { id, revision } = modelOf(written, options.revision);
  const access = hubAccess(environment);
  const asked = { id, revision, access };
  const onWait = (seconds: number, reason: string) => onEvent({ type: 'wait', seconds, reason });
  const hubFetch = createHubFetch({ ...asked, signal, onWait, wait: machine.wait });
  const { commit, files: all } = await readRevision(asked, hubFetch);
  const files = neededFiles(all, id);
  const repo = repoFolder(hubCache(environment), id);
  await makeFolder(repo.blobs);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const missing = await missingFiles(repo, files);
  let here = bytes - missing.reduce((sum, file) => sum + file.bytes, 0);
  const kept = await Promise.all(missing.map(({ etag }) => keptBytes(repo.blobs, etag)));
  const begun = missing.reduce((sum, file, i) => sum + Math.min(kept[i], file.bytes), 0);
  onEvent({ type: 'plan', id, revision, commit, files: files.length, bytes, here: here + begun });
  await checkRoom(machine, repo.blobs, bytes - here - begun);
  for (const file of missing) {
    signal?.throwIfAborted();
    const before = here;
    const onBytes = (arrived: number) => {
      onEvent({ type: 'progress', file: file.path, here: before + arrived, bytes });
    };
    const url = `${access.endpoint}/${id}/resolve/${commit}/${encodeURIComponent(file.path)}`;
    const { wait } = machine;
    await downloadBlob(file, { blobs: repo.blobs, url, hubFetch, signal, onBytes, onWait, wait });
    here += file.bytes;
  }
  await linkSnapshot(repo, commit, files);
  await writeRef(repo, revision, commit);
  return { id, revision, commit, folder: repo.snapshot(commit), files: files.length, bytes };
}

function modelOf(written: string, given: string | undefined): { id: string; revision: string } {
  const model = parseModelId(written);
  if (!model) {
    throw hubError(
      `a model expected as ORG/NAME, got ${JSON.stringify(written.slice(0, 200))}`,
      'Copy the name from the page of the model: Qwen/Qwen2-VL-2B-Instruct.',
    );
  }
  const revision = given ?? model.revision ?? 'main';
  if (given !== undefined && model.revision !== undefined && given !== model.revision) {
    throw hubError(`one revision expected, got ${model.revision} and ${given}`, 'Name it once.');
  }
  if (!isRevision(revision)) {
    throw hubError(
      `a revision expected as a branch, a tag or a commit, got ${JSON.stringify(revision.slice(0, 200))}`,
      'Leave it out for main.',
    );
  }
  return { id: model.id, revision };
}

/** A blob has its name only when it is whole; one of another size was damaged since, and is fetched anew. */
async function missingFiles({ blobs }: RepoFolder, files: readonly HubFile[]): Promise<HubFile[]> {
  const byContent = new Map(files.map((file) => [file.etag, file]));
  const missing: HubFile[] = [];
  for (const file of byContent.values()) {
    const there = await stat(join(blobs, file.etag)).catch(() => undefined);
    if (there?.size !== file.bytes) missing.push(file);
  }
  return missing;
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) => {
    throw hubError(
      `a cache that can be written to expected, got ${cause.message}`,
      'Set HF_HOME to a folder of yours.',
      cause,
    );
  });
}

async function checkRoom(machine: Machine, folder: string, needed: number): Promise<void> {
  if (needed === 0) return;
  const free = await machine.freeBytes(folder);
  if (free >= needed + spareBytes) return;
  throw hubError(
    `${needed} bytes are to be fetched into ${folder}, whose disk has ${free} free`,
    'Make room, or set HF_HOME to a larger disk. Nothing was fetched.',
  );
}
