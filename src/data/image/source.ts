import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { LorikeetError } from '../../errors.ts';
import type { HeldImage, ImageName, ImageReference } from '../example.ts';

/** Larger than any picture within the pixel limit needs to be. */
const maxBytes = 512 * 2 ** 20;

/** Enough for nearly every header. */
const startBytes = 64 * 1024;

const dataUrlHead = /^data:([\w.+-]+\/[\w.+-]+)?(;[\w.+-]+=[^;,]*)*;base64,/i;

/** A reference in few words, for messages: never the whole of a data URL. */
export function nameOf(reference: ImageName): string {
  if ('path' in reference) return reference.path;
  if ('held' in reference) return reference.held;
  const { dataUrl } = reference;
  return dataUrl.length <= 48 ? dataUrl : `${dataUrl.slice(0, 40)}... (${dataUrl.length} characters)`;
}

/** The same for the same file or the same bytes, and short whatever they are. */
export function keyOf(reference: ImageName): string {
  if ('path' in reference) return reference.path;
  if ('held' in reference) return `held:${reference.held}`;
  return `data:${createHash('sha256').update(reference.dataUrl).digest('base64')}`;
}

/** What is kept of a reference when its row is let go. */
export function withoutBytes(reference: ImageReference): ImageName {
  return 'held' in reference ? { held: reference.held } : reference;
}

/** As the data names it: from the folder of its pictures, where it is in there. */
export function nameInFolder(reference: ImageName, folder: string): string {
  const name = 'path' in reference ? relative(folder, reference.path) : '';
  return name === '' || name.startsWith('..') || isAbsolute(name) ? nameOf(reference) : name;
}

/** The encoded bytes of a picture, bounded before they are read. Throws an `image` error. */
export async function readSource(reference: ImageReference): Promise<Uint8Array> {
  if ('path' in reference) return readPath(reference.path);
  return 'held' in reference ? readHeld(reference) : readDataUrl(reference);
}

/** The first bytes of a picture, and whether they are all of it. */
export async function readStart(reference: ImageReference): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  if (!('path' in reference)) return { bytes: await readSource(reference), isWhole: true };
  return withFile(reference.path, async (file, size) => {
    const bytes = new Uint8Array(Math.min(size, startBytes));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return { bytes: bytes.subarray(0, bytesRead), isWhole: size <= bytesRead };
  });
}

function readHeld({ held, bytes }: HeldImage): Uint8Array {
  checkLength(bytes.length, held);
  return bytes;
}

function readPath(path: string): Promise<Uint8Array> {
  return withFile(path, (file) => file.readFile());
}

/** Opening a pipe would else wait for somebody to write to it. */
const readWithoutWaiting = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

async function withFile<T>(path: string, read: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  const file = await open(path, readWithoutWaiting).catch((cause) => {
    throw unreadable(path, cause);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) {
      throw new LorikeetError('image', {
        what: 'expected a picture file, got something that is not a file',
        fix: 'Name the picture itself, not its folder or a pipe.',
        file: path,
      });
    }
    checkLength(stat.size, path);
    return await read(file, stat.size);
  } catch (cause) {
    throw cause instanceof LorikeetError ? cause : unreadable(path, cause);
  } finally {
    await file.close();
  }
}

function unreadable(path: string, cause: unknown): LorikeetError {
  const { code = '' } = cause as NodeJS.ErrnoException;
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  return new LorikeetError('image', {
    what: missing ? 'expected a picture here, got no such file' : `the picture cannot be read (${code})`,
    fix: missing
      ? 'Put the file there, correct the row, or set data.images to the folder that the pictures are in.'
      : 'Check that the file is readable by this user.',
    file: path,
    cause,
  });
}

function readDataUrl(reference: { dataUrl: string }): Uint8Array {
  const file = nameOf(reference);
  const head = dataUrlHead.exec(reference.dataUrl)?.[0];
  if (head === undefined) {
    throw new LorikeetError('image', {
      what: 'expected a data URL that begins with data:image/...;base64, and got another',
      fix: 'Write the picture as data:image/png;base64,<bytes>, or give a file path.',
      file,
    });
  }
  const text = reference.dataUrl.slice(head.length).replace(/\s+/g, '');
  checkLength(text.length * 0.75, file);
  const bad = text.search(/[^A-Za-z0-9+/](?!=?$)|[^A-Za-z0-9+/=]/);
  if (bad >= 0 || text.length % 4 !== 0) {
    throw new LorikeetError('image', {
      what:
        bad >= 0
          ? `base64 expected letters, digits, + and /, got ${JSON.stringify(text[bad])} at character ${bad}`
          : `base64 expected a length that is a multiple of 4, got ${text.length} characters`,
      fix: 'Encode the picture again; the text was cut or changed on the way.',
      file,
    });
  }
  return Buffer.from(text, 'base64');
}

function checkLength(bytes: number, file: string): void {
  if (bytes > 0 && bytes <= maxBytes) return;
  throw new LorikeetError('image', {
    what:
      bytes > 0
        ? `expected at most ${maxBytes} bytes, got ${Math.round(bytes)}`
        : 'expected a picture, got 0 bytes',
    fix: bytes > 0 ? 'Store the picture smaller.' : 'The file is empty: copy or download it again.',
    file,
  });
}
