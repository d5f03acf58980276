import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { LorikeetError } from '../errors.ts';

/** Size and times of a file, told apart and never held against a clock; undefined where it is not there. */
export type FileStamp = string | undefined;

export function stampOf(file: string): FileStamp {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat && [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ');
}

/**
 * Makes a check that a file is what it was when it had this stamp and SHA-256. Where its stamp is another (it was touched,
 * or copied anew) it is read again: only other bytes count.
 *
 * @throws LorikeetError 'data' where it has changed or is gone.
 */
export function guardOf(file: string, stamp: FileStamp, sha256: string): () => Promise<void> {
  let known = stamp;
  return async () => {
    const now = stampOf(file);
    if (now === known) return;
    const found = now === undefined ? undefined : await hashOf(file);
    if (found !== sha256) throw changed(file, sha256, found);
    known = now;
  };
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest('hex');
}

function changed(file: string, before: string, now: string | undefined): LorikeetError {
  const shown = (sum: string) => `SHA-256 ${sum.slice(0, 12)}...`;
  return new LorikeetError('data', {
    file,
    what: `the data file expected as it was at the start, ${shown(before)}, got ${now ? shown(now) : 'no such file'}`,
    fix: 'Put it back and go on with --resume, or train anew on the new data. Leave it alone while it is in use.',
  });
}
