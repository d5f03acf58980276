/** Tells files apart without reading gigabytes of them. */
import { createHash, type Hash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Files up to this size are read whole. */
const wholeBytes = 64 * 2 ** 20;
const pieces = 64;
const pieceBytes = 2 ** 18;

/**
 * SHA-256 over names, sizes and bytes of the files of a folder that `belongs` picks, in the order of their names. Of a file
 * above 64 MiB the first 256 KiB (a safetensors header and what follows it), the last, and 62 pieces between are read.
 */
export async function fingerprint(folder: string, belongs: (name: string) => boolean): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(folder)).filter(belongs).sort()) {
    const file = join(folder, name);
    const { size } = await stat(file);
    hash.update(`${name}\n${size}\n`);
    await addBytes(hash, file, size);
  }
  return hash.digest('hex');
}

async function addBytes(hash: Hash, file: string, size: number): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const length = size <= wholeBytes ? Math.max(1, Math.ceil(size / pieces)) : pieceBytes;
    const bytes = new Uint8Array(length);
    for (let piece = 0; piece < pieces; piece++) {
      const start =
        size <= wholeBytes ? piece * length : Math.floor((piece * (size - length)) / (pieces - 1));
      if (start >= size) break;
      const { bytesRead } = await handle.read(bytes, 0, Math.min(length, size - start), start);
      hash.update(bytes.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
