import { realpath, statfs } from 'node:fs/promises';
import path from 'node:path';

/** Bytes that may still be written where `target` is, or will be once its folders are made. */
export async function freeBytes(target: string): Promise<number> {
  const { bavail, bsize } = await statfs(await existingPart(path.resolve(target)));
  return bavail * bsize;
}

/** The real path of what need not be there yet: links in the part that is there are resolved. */
export async function realTarget(target: string): Promise<string> {
  const whole = path.resolve(target);
  const there = await existingPart(whole);
  return path.join(await realpath(there), path.relative(there, whole));
}

async function existingPart(target: string): Promise<string> {
  try {
    await realpath(target);
    return target;
  } catch (error) {
    const parent = path.dirname(target);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === target) throw error;
    return existingPart(parent);
  }
}
