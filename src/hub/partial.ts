/**
 * Beginnings of files, kept beside the blobs until they are whole. Who works on one holds it under a name of its own, taken by
 * a rename: of two pulls at once one goes on with it, the other begins anew, and neither writes into the other's file.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { listFolder } from '../formats/atomic.ts';

const host =
  hostname()
    .replace(/[^A-Za-z0-9-]/g, '')
    .slice(0, 40) || 'here';

/** What nobody works on. Python's own `.incomplete` files have other names, and are left to it. */
const keptName = (etag: string) => `${etag}.kept.incomplete`;

/** Takes over the longest beginning that nobody works on, or makes an empty one; gives its path. */
export async function claimPartial(blobs: string, etag: string): Promise<string> {
  const mine = join(blobs, `${etag}.${host}_${process.pid}_${randomBytes(4).toString('hex')}.incomplete`);
  for (const { file } of await freePartials(blobs, etag)) {
    try {
      await rename(file, mine);
      return mine;
    } catch {} // another pull was quicker
  }
  await (await open(mine, 'wx')).close();
  return mine;
}

/** Leaves it to the next pull; an empty one goes. */
export async function keepPartial(file: string, blobs: string, etag: string): Promise<void> {
  const size = await sizeOf(file);
  if (size === undefined) return;
  if (size === 0) await rm(file, { force: true });
  else await rename(file, join(blobs, keptName(etag)));
}

/** How many bytes of a blob are here already. */
export async function keptBytes(blobs: string, etag: string): Promise<number> {
  const [longest] = await freePartials(blobs, etag);
  return longest?.size ?? 0;
}

async function freePartials(blobs: string, etag: string): Promise<{ file: string; size: number }[]> {
  const found: { file: string; size: number }[] = [];
  for (const name of await listFolder(blobs)) {
    if (!name.startsWith(`${etag}.`) || !isFree(name, etag)) continue;
    const file = join(blobs, name);
    const size = await sizeOf(file);
    if (size !== undefined) found.push({ file, size });
  }
  return found.sort((a, b) => b.size - a.size);
}

/** Set aside, or held by a process of this machine that is gone. */
function isFree(name: string, etag: string): boolean {
  if (name === keptName(etag)) return true;
  const held = /^\.([A-Za-z0-9-]+)_(\d+)_[0-9a-f]{8}\.incomplete$/.exec(name.slice(etag.length));
  return held !== null && held[1] === host && !isRunning(Number(held[2]));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size;
}
