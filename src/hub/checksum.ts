import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { HubFile } from './needed-files.ts';

const chunkBytes = 2 ** 20;

/** SHA-256 of the bytes, or git's hash of a blob: SHA-1 over `blob LENGTH`, a zero byte and the bytes. */
export function startHash({ hash, bytes }: Pick<HubFile, 'hash' | 'bytes'>): Hash {
  return hash === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
}

/** Adds the first `length` bytes of a file. */
export async function hashStart(
  hash: Hash,
  handle: FileHandle,
  length: number,
  signal?: AbortSignal,
): Promise<void> {
  const chunk = Buffer.alloc(Math.min(chunkBytes, length));
  for (let at = 0; at < length; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, length - at), at);
    if (bytesRead === 0) throw new Error('the file has become shorter while it was in use');
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}
