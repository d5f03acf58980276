import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { LorikeetError } from '../../errors.ts';
import type { AsyncBuffer } from './hyparquet.ts';

/** A parquet file's bytes, to be read in pieces. */
export interface ParquetBytes {
  buffer: AsyncBuffer;
  sha256: string;
}

const chunkBytes = 2 ** 20;

/** Bytes of the shortest file: both marks and the length of its metadata. */
const leastBytes = 12;

/**
 * Hashes the file and looks at its first and last four bytes.
 *
 * @throws LorikeetError 'data' where it is not there, no parquet, cut short or encrypted.
 */
export async function openParquetFile(file: string): Promise<ParquetBytes> {
  const handle = await open(file).catch((cause: NodeJS.ErrnoException) => {
    const found = cause.code === 'ENOENT' ? 'no such file' : cause.message;
    throw refused(
      file,
      `a readable data file expected, got ${found}`,
      'Check the path; paths in a config are relative to the config file.',
      cause,
    );
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) {
      throw refused(file, 'a data file expected, got a folder', 'Name one .parquet file in it.');
    }
    await checkMarks(handle, stat.size, file);
    return { buffer: bufferOf(file, stat.size), sha256: await hashOf(handle) };
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    throw refused(file, `cannot be read: ${(cause as Error).message}`, undefined, cause);
  } finally {
    await handle.close();
  }
}

async function checkMarks(handle: FileHandle, size: number, file: string): Promise<void> {
  const [head, tail] = [await mark(handle, 0), await mark(handle, Math.max(0, size - 4))];
  if (head === 'PARE' || tail === 'PARE') {
    throw refused(file, 'parquet expected, got encrypted parquet', 'Save it without encryption.');
  }
  if (head !== 'PAR1') {
    throw refused(
      file,
      'parquet expected, got a file that does not begin with PAR1',
      'Name it as what it is: .jsonl or .json; or write it as parquet.',
    );
  }
  if (tail !== 'PAR1' || size < leastBytes) {
    throw refused(
      file,
      `parquet expected to end with PAR1, got ${size} bytes that do not: it is cut short`,
      'Copy or download it again.',
    );
  }
}

async function mark(handle: FileHandle, at: number): Promise<string> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, at);
  return buffer.toString('latin1', 0, bytesRead);
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(chunkBytes);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Opened for each piece, so that nothing stays open between rows. A piece outside the file is refused before it is allocated. */
function bufferOf(file: string, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end = byteLength) {
      if (!(start >= 0 && end >= start && end <= byteLength)) {
        throw new Error(`it names bytes ${start} to ${end} of a file of ${byteLength}`);
      }
      const bytes = new ArrayBuffer(end - start);
      const handle = await open(file);
      try {
        for (let filled = 0; filled < bytes.byteLength; ) {
          const rest = new Uint8Array(bytes, filled);
          const { bytesRead } = await handle.read(rest, 0, rest.length, start + filled);
          if (bytesRead === 0) throw new Error('it has become shorter while it was in use');
          filled += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    },
  };
}

export function refused(file: string, what: string, fix?: string, cause?: unknown): LorikeetError {
  return new LorikeetError('data', { file, what, fix, cause });
}
