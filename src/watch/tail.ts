import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Reads a file of lines that somebody else appends to. */
export interface LineTail {
  /** What came since the last call. */
  read(): TailRead;
  /** When the file was last written, milliseconds since 1970; null where it is not there. */
  writtenAt(): number | null;
}

export interface TailRead {
  /** Whole lines, without their ends. What stands after the last line end is kept for the next call. */
  lines: string[];
  /** The file is another one than before, or was cut: `lines` are its lines from the first on. */
  restarted: boolean;
}

/** Bytes at the file's beginning that tell it from a later one of the same name. */
const headSize = 256;
/** And before the place where reading stopped: a run that goes on from a checkpoint cuts its file there and writes on. */
const footSize = 256;
const chunkSize = 1 << 20;
/** No line of ours is nearly that long; a longer one is passed over. */
const longestLine = 1 << 22;

/** A file that is not there has no lines. Every call opens the file anew, so that one moved into its place is seen. */
export function tailLines(file: string): LineTail {
  let offset = 0;
  let head: Buffer = Buffer.alloc(0);
  let foot: Buffer = Buffer.alloc(0);
  let rest: Buffer = Buffer.alloc(0);
  let passingOver = false;
  let writtenAt: number | null = null;

  const forget = () => {
    offset = 0;
    head = foot = rest = Buffer.alloc(0);
    passingOver = false;
  };

  /** Takes the lines that `chunk` ends; keeps its last, unended one. */
  const take = (chunk: Buffer, lines: string[]) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      if (!passingOver) lines.push(Buffer.concat([rest, chunk.subarray(start, end)]).toString('utf8'));
      rest = Buffer.alloc(0);
      passingOver = false;
      start = end + 1;
    }
    rest = Buffer.concat([rest, chunk.subarray(start)]);
    if (rest.length > longestLine) passingOver = true;
    if (passingOver) rest = Buffer.alloc(0);
  };

  const readFrom = (handle: number): TailRead => {
    const lines: string[] = [];
    const { size, mtimeMs } = fstatSync(handle);
    writtenAt = mtimeMs;
    if (size === offset) return { lines, restarted: false };
    const isCut = size < offset || !readAt(handle, offset - foot.length, foot.length).equals(foot);
    const restarted = isCut || !readAt(handle, 0, head.length).equals(head);
    if (restarted) forget();
    while (offset < size) {
      const chunk = readAt(handle, offset, Math.min(chunkSize, size - offset));
      if (chunk.length === 0) break;
      if (head.length < headSize) head = Buffer.concat([head, chunk]).subarray(0, headSize);
      foot = Buffer.concat([foot, chunk.subarray(-footSize)]).subarray(-footSize);
      offset += chunk.length;
      take(chunk, lines);
    }
    return { lines, restarted };
  };

  return {
    read() {
      const handle = openIfThere(file);
      if (handle === undefined) {
        const restarted = offset > 0;
        forget();
        writtenAt = null;
        return { lines: [], restarted };
      }
      try {
        return readFrom(handle);
      } finally {
        closeSync(handle);
      }
    },
    writtenAt: () => writtenAt,
  };
}

function readAt(handle: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(handle, bytes, 0, length, position));
}

function openIfThere(file: string): number | undefined {
  let handle: number | undefined;
  try {
    // Opening a named pipe would otherwise wait for somebody to write into it.
    handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fstatSync(handle).isFile()) return handle;
    closeSync(handle);
  } catch {}
  return undefined;
}
