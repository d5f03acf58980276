import type { Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { hashStart, startHash } from './checksum.ts';
import { type HubFetch, waitFor } from './hub-fetch.ts';
import type { HubFile } from './needed-files.ts';
import { claimPartial, keepPartial } from './partial.ts';
import { hubError } from './refusals.ts';

export interface DownloadOptions {
  blobs: string;
  url: string;
  hubFetch: HubFetch;
  signal?: AbortSignal;
  /** Told how much of the file is here. */
  onBytes(here: number): void;
  onWait?(seconds: number, reason: string): void;
  wait?(seconds: number, signal?: AbortSignal): Promise<void>;
}

/** Times in a row that a connection may break without bringing anything worth mentioning. */
const mostCuts = 5;
const worthMentioning = 2 ** 20;

/**
 * Fetches one file into the blobs: goes on where an earlier try ended, and gives it its name only when its size and
 * hash are those that the hub promised.
 *
 * @throws LorikeetError 'hub' where the connection keeps breaking (the beginning is kept), where the bytes are others
 *   than promised or the disk is full (it is not).
 */
export async function downloadBlob(file: HubFile, options: DownloadOptions): Promise<void> {
  const { blobs } = options;
  const partial = await claimPartial(blobs, file.etag);
  try {
    const handle = await open(partial, 'r+');
    try {
      const arriving = new ArrivingFile(file, handle, options);
      await arriving.resume();
      await fetchRest(arriving, options);
      arriving.verify();
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, join(blobs, file.etag));
  } catch (error) {
    if (isSpoilt(error) || isDiskFull(error)) await rm(partial, { force: true });
    else await keepPartial(partial, blobs, file.etag);
    throw isDiskFull(error) ? diskFull(file, error) : error;
  }
}

/** A file on its way: how much is here, and the hash of that. */
class ArrivingFile {
  readonly file: HubFile;
  here = 0;
  readonly #handle: FileHandle;
  readonly #options: DownloadOptions;
  #hash: Hash;

  constructor(file: HubFile, handle: FileHandle, options: DownloadOptions) {
    this.file = file;
    this.#handle = handle;
    this.#options = options;
    this.#hash = startHash(file);
  }

  /** Counts what an earlier pull left. */
  async resume(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.file.bytes) return this.restart();
    await hashStart(this.#hash, this.#handle, size, this.#options.signal);
    this.here = size;
    this.#options.onBytes(size);
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = startHash(this.file);
    this.here = 0;
    this.#options.onBytes(0);
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (this.here + chunk.length > this.file.bytes) throw spoilt(this.file, 'more bytes than that');
    for (let written = 0; written < chunk.length; ) {
      const left = chunk.length - written;
      const { bytesWritten } = await this.#handle.write(chunk, written, left, this.here + written);
      written += bytesWritten;
    }
    this.#hash.update(chunk);
    this.here += chunk.length;
    this.#options.onBytes(this.here);
  }

  verify(): void {
    const digest = this.#hash.digest('hex');
    if (digest !== this.file.etag) throw spoilt(this.file, `bytes with the hash ${digest}`);
  }
}

async function fetchRest(arriving: ArrivingFile, options: DownloadOptions): Promise<void> {
  const { signal, onWait, wait = waitFor } = options;
  let cuts = 0;
  while (arriving.here < arriving.file.bytes) {
    const before = arriving.here;
    const broken = await fetchOnce(arriving, options);
    if (arriving.here === arriving.file.bytes) return;
    signal?.throwIfAborted();
    cuts = arriving.here - before >= worthMentioning ? 1 : cuts + 1;
    if (cuts > mostCuts) throw keepsBreaking(arriving, cuts, broken);
    const seconds = 2 ** (cuts - 1);
    onWait?.(seconds, 'the connection broke');
    await wait(seconds, signal);
    signal?.throwIfAborted();
  }
}

/** One request for what is missing; gives the reason where the connection broke on the way. */
async function fetchOnce(arriving: ArrivingFile, { url, hubFetch }: DownloadOptions): Promise<unknown> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }; // ranges count the file's own bytes
  if (arriving.here > 0) headers.range = `bytes=${arriving.here}-`;
  const response = await hubFetch(url, { headers }, [416]);
  if (!isContinued(response, arriving)) await arriving.restart();
  if (response.status === 416 || !response.body) {
    await response.body?.cancel();
    return new Error('the hub has no such part of the file');
  }
  const reader = response.body.getReader();
  for (;;) {
    const next = await reader.read().catch((broken: unknown) => ({ broken }));
    if ('broken' in next) return next.broken;
    if (next.done) return undefined;
    try {
      await arriving.add(next.value);
    } catch (error) {
      await reader.cancel().catch(() => {});
      throw error;
    }
  }
}

/** Whether the answer begins where the file ends; a server without ranges sends all of it anew. */
function isContinued(response: Response, { here, file }: ArrivingFile): boolean {
  if (here === 0 && response.status === 200) return true;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  return (
    response.status === 206 && Number(range?.[1]) === here && ['*', String(file.bytes)].includes(range![2])
  );
}

class SpoiltFile extends LorikeetError {}

function spoilt(file: HubFile, got: string): LorikeetError {
  return new SpoiltFile('hub', {
    what: `${file.path} expected ${file.bytes} bytes with the hash ${file.etag}, got ${got}`,
    fix: 'It was dropped. Pull again; where it stays so, something between here and the hub changes files.',
  });
}

function isSpoilt(error: unknown): boolean {
  return error instanceof SpoiltFile;
}

function keepsBreaking({ file, here }: ArrivingFile, cuts: number, cause: unknown): LorikeetError {
  return hubError(
    `${file.path} expected ${file.bytes} bytes, got ${here}: the connection broke ${cuts} times in a row`,
    'What arrived is kept: the same command goes on from there.',
    cause,
  );
}

/** Disk, quota, or the size that a file may have here. */
function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException)?.code ?? '');
}

function diskFull({ path, bytes }: HubFile, cause: unknown): LorikeetError {
  return hubError(
    `${path} expected room for ${bytes} bytes, the disk had no more (${(cause as NodeJS.ErrnoException).code})`,
    'Its beginning was removed; whole files are kept. Make room, or set HF_HOME to a larger disk, and pull again.',
    cause,
  );
}
