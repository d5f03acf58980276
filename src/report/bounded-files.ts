/** Files that nobody vouches for, read within bounds: regular files alone, so many bytes, lines of a bounded length. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/** Why a file was not read, as the end of a sentence that begins with its name. */
export class Unreadable extends Error {
  readonly isMissing: boolean;

  constructor(reason: string, isMissing = false) {
    super(reason);
    this.isMissing = isMissing;
  }
}

/** A whole file of at most `limit` bytes; throws `Unreadable`. */
export function readBytes(file: string, limit: number): Buffer {
  return opened(file, (descriptor, size) => {
    if (size > limit) throw new Unreadable(`is larger than the ${limit} bytes that are read of it`);
    return readFileSync(descriptor);
  });
}

export function readText(file: string, limit: number): string {
  return new TextDecoder().decode(readBytes(file, limit));
}

export interface LinesRead {
  /** Lines above the bound, which were passed over. */
  tooLong: number;
  /** The file ends without a line break. */
  isOpen: boolean;
  /** The file is longer than `byteLimit`: what stands behind that was not read. */
  isCut: boolean;
}

const chunkBytes = 2 ** 20;
const newline = 0x0a;

/** Hands over each line that is not blank; `isLast` where no line break follows. Throws `Unreadable`. */
export function eachLine(
  file: string,
  { lineLimit, byteLimit }: { lineLimit: number; byteLimit: number },
  take: (line: string, isLast: boolean) => void,
): LinesRead {
  return opened(file, (descriptor, size) => {
    const decoder = new TextDecoder();
    const chunk = Buffer.alloc(chunkBytes);
    let parts: Buffer[] = [];
    let length = 0;
    let tooLong = 0;
    const add = (part: Buffer) => {
      length += part.length;
      if (length <= lineLimit) parts.push(Buffer.from(part));
    };
    const end = (isLast: boolean) => {
      if (length > lineLimit) tooLong++;
      else {
        const line = decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts)).trim();
        if (line !== '') take(line, isLast);
      }
      parts = [];
      length = 0;
    };
    let total = 0;
    while (total < byteLimit) {
      const read = readSync(descriptor, chunk, 0, chunkBytes, null);
      if (read === 0) break;
      total += read;
      let from = 0;
      for (let to = chunk.indexOf(newline); to !== -1 && to < read; to = chunk.indexOf(newline, from)) {
        add(chunk.subarray(from, to));
        end(false);
        from = to + 1;
      }
      add(chunk.subarray(from, read));
    }
    const isCut = total >= byteLimit && size > total;
    const isOpen = length > 0 && !isCut;
    if (isOpen) end(true);
    return { tooLong, isOpen, isCut };
  });
}

function opened<T>(file: string, read: (descriptor: number, size: number) => T): T {
  let descriptor: number | undefined;
  try {
    // Opening a named pipe would otherwise wait for somebody to write into it.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new Unreadable('is not a plain file');
    return read(descriptor, stat.size);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new Unreadable('is not there', true);
    throw new Unreadable(`could not be read (${code ?? message})`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
