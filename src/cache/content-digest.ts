/** What tensors hold, by their bytes; remembered, because reading a gigabyte takes a second and more. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorLocation } from '../formats/safetensors.ts';
import { replaceWhole } from './shelf-files.ts';

const chunk = 4 * 2 ** 20;

/** A file that was written just now might be written again without its time telling. */
const settledAfter = 2000;

/**
 * SHA-256 over the bytes of the tensors, in their order, in hexadecimal. Kept in `folder` under the files' path, size, times
 * and numbers, which tell whether a file was touched; where it cannot be kept it is computed every time.
 */
export function contentDigest(tensors: readonly TensorLocation[], folder: string): string {
  const files = [...new Set(tensors.map(({ file }) => file))];
  const states = files.map(stateOf);
  const state = JSON.stringify([
    states,
    tensors.map(({ file, offset, byteLength }) => [file, offset, byteLength]),
  ]);
  const memory = join(folder, 'weights', `${hash(state)}.sha256`);
  const known = read(memory);
  if (known) return known;
  const digest = digestOf(tensors);
  const isSettled = states.every(({ newest }) => Date.now() - newest > settledAfter);
  if (isSettled && JSON.stringify(files.map(stateOf)) === JSON.stringify(states)) remember(memory, digest);
  return digest;
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

function stateOf(file: string) {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  const newest = Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n);
  return { file, newest, state: [dev, ino, size, mtimeNs, ctimeNs].join(' ') };
}

function read(memory: string): string | undefined {
  try {
    const text = readFileSync(memory, 'utf8');
    return /^[0-9a-f]{64}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function remember(memory: string, digest: string): void {
  try {
    replaceWhole(memory, [Buffer.from(digest)]);
  } catch {} // a folder that cannot be written is told by whoever keeps entries in it
}

function digestOf(tensors: readonly TensorLocation[]): string {
  const sum = createHash('sha256');
  const bytes = Buffer.allocUnsafe(chunk);
  let open: { file: string; handle: number } | undefined;
  try {
    for (const { file, offset, byteLength } of tensors) {
      if (open?.file !== file) {
        if (open) closeSync(open.handle);
        open = { file, handle: openSync(file, 'r') };
      }
      for (let done = 0; done < byteLength; ) {
        const length = readSync(open.handle, bytes, 0, Math.min(chunk, byteLength - done), offset + done);
        if (length === 0) break; // the file was cut meanwhile, which its reader will tell
        sum.update(bytes.subarray(0, length));
        done += length;
      }
    }
  } finally {
    if (open) closeSync(open.handle);
  }
  return sum.digest('hex');
}
