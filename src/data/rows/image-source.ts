import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LorikeetError } from '../../errors.ts';
import type { HeldImage, ImageReference } from '../example.ts';
import { isRecord, type JsonObject, named, own } from './own.ts';
import { isNamedWithin, isReallyWithin, type PictureFolders } from './picture-folders.ts';

/** Where a row says a picture is, and the file that is meant. */

const extensions = ['.jpg', '.jpeg', '.png'];

/** Names under which an object holds a picture's place, in the order they are tried. */
const sourceNames = ['image', 'image_url', 'path', 'url', 'file_name'];

/** The place that an object itself carries; undefined for a mere placeholder. */
export function ownSource(object: JsonObject): unknown {
  for (const name of sourceNames) {
    const value = own(object, name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * Resolves what a row writes (a path, an id, a `file://` or `data:` URL, an object that holds one, or the picture's bytes).
 *
 * @throws LorikeetError 'data' where it names no local picture or one outside of `folders`, 'image' naming the paths tried
 *   where there is none.
 */
export function resolveImage(source: unknown, folders: PictureFolders): ImageReference {
  const held = heldImage(source);
  if (held) return held;
  const text = sourceText(source);
  if (/^data:/i.test(text)) return { dataUrl: checkedDataUrl(text) };
  if (/^https?:/i.test(text)) throw noNetwork(text);
  if (/^file:/i.test(text)) return { path: existing(text, [fileUrlPath(text)], folders) };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw unusable(text, 'a path, a file:// URL or a data: URL');
  if (text.includes('\0')) throw unusable(text, 'a path without a zero character');
  return { path: existing(text, candidates(resolve(folders.folder, text)), folders) };
}

/** Bytes in the row itself, alone or as the `datasets` library writes them: `{ bytes, path }`. */
function heldImage(source: unknown): HeldImage | undefined {
  if (source instanceof Uint8Array) return holdBytes(source, undefined);
  if (!isRecord(source)) return undefined;
  const bytes = own(source, 'bytes');
  if (bytes instanceof Uint8Array) return holdBytes(bytes, own(source, 'path'));
  const inner = ownSource(source);
  return inner instanceof Uint8Array || isRecord(inner) ? heldImage(inner) : undefined;
}

/** Named by content, because such files call many pictures alike or not at all. Copied, so that its row group can go. */
function holdBytes(bytes: Uint8Array, path: unknown): HeldImage {
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 24);
  const name = typeof path === 'string' ? basename(path).slice(-100) : '';
  return { held: `${name === '' ? 'picture' : name} (sha256 ${digest})`, bytes: bytes.slice() };
}

function sourceText(source: unknown): string {
  if (Number.isSafeInteger(source)) return String(source);
  if (isRecord(source)) {
    const inner = ownSource(source);
    if (inner !== undefined && !isRecord(inner)) return sourceText(inner);
    if (isRecord(inner)) return sourceText(own(inner, 'url') ?? own(inner, 'path'));
  }
  if (typeof source === 'string' && source.trim() !== '') return source;
  throw new LorikeetError('data', {
    what: `an image expected as a path, got ${named(source)}`,
    fix: 'Write where the picture is; for rows without one use the messages form, without an image part.',
  });
}

function checkedDataUrl(text: string): string {
  const head = text.slice(0, 128).split(',')[0];
  if (/^data:image;base64$/i.test(head)) return `data:image/png${text.slice(10)}`; // as Qwen's examples write; the bytes say the format
  if (/^data:(image\/[\w.+-]+)?(;[\w=.+-]+)*;base64$/i.test(head)) return text;
  throw unusable(head, 'data:image/...;base64, followed by the picture');
}

function noNetwork(url: string): LorikeetError {
  return new LorikeetError('data', {
    what: `an image on this machine expected, got ${shortened(url)}: nothing is fetched from a network during training`,
    fix: 'Download the pictures once and write their paths.',
  });
}

function fileUrlPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw unusable(url, `a file:// URL of this machine (${cause instanceof Error ? cause.message : cause})`);
  }
}

/** An id or a name without a picture's extension is tried with the usual ones too. */
function candidates(path: string): string[] {
  const hasExtension = /^\.(jpe?g|png|webp|bmp|gif|tiff?|avif|heic)$/i.test(extname(path));
  return hasExtension ? [path] : [path, ...extensions.map((extension) => path + extension)];
}

function existing(source: string, paths: string[], folders: PictureFolders): string {
  if (!isNamedWithin(paths[0], folders)) throw outside(source, paths[0], folders);
  const found = paths.find(isFile);
  if (found !== undefined) {
    if (!isReallyWithin(found, folders)) throw outside(source, found, folders);
    return found;
  }
  const got = paths.some((path) => existsSync(path)) ? 'something that is not a file' : 'no such file';
  throw new LorikeetError('image', {
    what: `image ${JSON.stringify(shortened(source))} expected at ${paths.map(shortened).join(' or ')}, got ${got}`,
    fix: 'Image paths are relative to the data file, or to data.images where that is given.',
  });
}

/** A name that is too long, a folder that may not be looked into: there is no picture there for anybody. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function outside(source: string, path: string, folders: PictureFolders): LorikeetError {
  const isLink = isNamedWithin(path, folders);
  const where = isLink ? `a link that leads out of it` : path;
  return new LorikeetError('data', {
    what: `image ${JSON.stringify(shortened(source))} expected in ${folders.folder}, got ${shortened(where)}`,
    fix: isLink
      ? 'Copy the picture there; or, where the data is your own, set data.outside: allow.'
      : 'Set data.images to a folder that all pictures are in; or, where the data is your own, data.outside: allow.',
  });
}

function unusable(source: string, expected: string): LorikeetError {
  return new LorikeetError('data', {
    what: `an image expected as ${expected}, got ${JSON.stringify(shortened(source))}`,
    fix: 'Write where the picture is on this machine.',
  });
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
