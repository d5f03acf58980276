import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { LorikeetError } from '../errors.ts';

/** Where each line of a file of lines stands, so that a line is read when it is asked for. */
export interface LineIndex {
  file: string;
  sha256: string;
  /** Byte offset of each line that is not blank. */
  starts: number[];
  /** Its length in bytes, without its line break. */
  lengths: number[];
  /** Its number in the file, from 1. */
  numbers: number[];
  /** Whether the file's first character is `[`: a JSON array instead of lines. */
  isArray: boolean;
}

/** Bytes of one line: a picture written as a data URL may be long, a file without line breaks is not data. */
export const maxLineBytes = 256 * 2 ** 20;

const chunkBytes = 2 ** 20;
const newline = 0x0a;

/** One pass over the file in chunks; blank lines, CRLF and a byte order mark are passed over. */
export async function indexLines(file: string): Promise<LineIndex> {
  const scan = new LineScan(file);
  const handle = await open(file).catch((cause: Error) => {
    const isGone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new LorikeetError('data', {
      file,
      what: `a readable data file expected, got ${isGone ? 'no such file' : cause.message}`,
      fix: 'Check the path; paths in a config are relative to the config file.',
      cause,
    });
  });
  try {
    if ((await handle.stat()).isDirectory()) throw isFolder(file);
    const chunk = new Uint8Array(chunkBytes);
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes, null);
      if (bytesRead === 0) break;
      scan.add(chunk.subarray(0, bytesRead));
    }
  } catch (cause) {
    if (cause instanceof LorikeetError) throw cause;
    throw new LorikeetError('data', { file, what: `cannot be read: ${(cause as Error).message}`, cause });
  } finally {
    await handle.close();
  }
  return scan.finish();
}

function isFolder(file: string): LorikeetError {
  return new LorikeetError('data', {
    file,
    what: 'a data file expected, got a folder',
    fix: 'Name the .jsonl or .json file in it; data.images names a folder of pictures.',
  });
}

class LineScan {
  readonly #index: LineIndex;
  readonly #hash = createHash('sha256');
  #offset = 0; // of the next chunk
  #start = 0; // of the line being read
  #end = 0; // after its last byte that is not white space; 0 while it is blank
  #number = 1;

  constructor(file: string) {
    this.#index = { file, sha256: '', starts: [], lengths: [], numbers: [], isArray: false };
  }

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    const mark = this.#offset === 0 ? byteOrderMark(chunk, this.#index.file) : 0;
    if (mark > 0) this.#start = mark;
    for (let i = mark; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === newline) this.#endLine(this.#offset + i + 1);
      else if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) this.#see(byte, this.#offset + i);
    }
    this.#offset += chunk.length;
    if (this.#offset - this.#start > maxLineBytes) throw this.#tooLong();
  }

  finish(): LineIndex {
    this.#endLine(this.#offset + 1);
    this.#index.sha256 = this.#hash.digest('hex');
    return this.#index;
  }

  #see(byte: number, at: number): void {
    if (this.#end === 0 && this.#index.starts.length === 0) this.#index.isArray = byte === 0x5b;
    this.#end = at + 1;
  }

  #endLine(next: number): void {
    if (this.#end > 0) {
      this.#index.starts.push(this.#start);
      this.#index.lengths.push(this.#end - this.#start);
      this.#index.numbers.push(this.#number);
    }
    this.#start = next;
    this.#end = 0;
    this.#number++;
  }

  #tooLong(): LorikeetError {
    return new LorikeetError('data', {
      file: this.#index.file,
      line: this.#number,
      what: `lines of at most ${maxLineBytes} bytes expected, got a longer one`,
      fix: 'Write one row a line (.jsonl).',
    });
  }
}

function byteOrderMark(chunk: Uint8Array, file: string): number {
  if (chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) return 3;
  const isUtf16 = (chunk[0] === 0xff && chunk[1] === 0xfe) || (chunk[0] === 0xfe && chunk[1] === 0xff);
  if (!isUtf16) return 0;
  throw new LorikeetError('data', {
    file,
    what: 'UTF-8 expected, got UTF-16',
    fix: 'Save the file as UTF-8.',
  });
}

/** Bytes of line `index`; fewer than indexed where the file has shrunk since. */
export function readLine(lines: LineIndex, index: number): Uint8Array {
  return readBytes(lines.file, lines.starts[index], lines.lengths[index]);
}

export function readBytes(file: string, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const descriptor = openSync(file, 'r');
  try {
    let filled = 0;
    while (filled < length) {
      const read = readSync(descriptor, bytes, filled, length - filled, start + filled);
      if (read === 0) break;
      filled += read;
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(descriptor);
  }
}
