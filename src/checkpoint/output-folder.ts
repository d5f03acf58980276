/** Where a model may be written: not over what it is made from, not over what is no model, not on a full disk. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { listFolder } from '../formats/atomic.ts';
import { freeBytes, realTarget } from '../formats/free-space.ts';

export interface OutputFolder {
  dir: string;
  /** A model that stands there may be replaced. */
  overwrite: boolean;
  /** Folders that are read: the output may neither be in one of them nor hold one. */
  sources: Record<string, string>;
}

/** Throws `checkpoint` errors that say what is in the way. */
export async function checkOutput({ dir, overwrite, sources }: OutputFolder): Promise<void> {
  const target = await realTarget(dir);
  for (const [name, source] of Object.entries(sources)) {
    const real = await realTarget(source);
    if (holds(real, target) || holds(target, real))
      refuse(dir, `is ${describePlace(target, real)} the ${name} that is read`, 'Name a folder beside it.');
  }
  const status = await stat(dir).catch(() => undefined);
  if (status && !status.isDirectory()) refuse(dir, 'is a file', 'Name a folder.');
  const there = status ? await listFolder(dir) : [];
  if (there.length === 0) return;
  if (!there.includes('config.json'))
    refuse(dir, 'holds something else than a model', 'Name an empty folder, or one that is not there yet.');
  if (!overwrite)
    refuse(dir, 'holds a model already', 'Name another folder, or replace it with --overwrite.');
}

const holds = (outer: string, inner: string): boolean => {
  const way = path.relative(outer, inner);
  return way === '' || !(way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way));
};

function describePlace(target: string, source: string): string {
  if (target === source) return 'the folder of';
  return holds(source, target) ? 'inside' : 'around';
}

/** Throws a `checkpoint` error where fewer than `needed` bytes are free. What would be replaced is there until the end. */
export async function checkFreeSpace(dir: string, needed: number): Promise<void> {
  const free = await freeBytes(dir);
  if (free >= needed) return;
  refuse(
    dir,
    `needs ${inGigabytes(needed)} on its disk, which has ${inGigabytes(free)} free`,
    'Make room, or name a folder on another disk.',
  );
}

/** Three digits, in the unit that the hub counts in. */
export function inGigabytes(bytes: number): string {
  const unit = [1e9, 1e6, 1e3].find((size) => bytes >= size) ?? 1;
  const name = { 1e9: 'GB', 1e6: 'MB', 1e3: 'KB', 1: 'bytes' }[unit];
  return `${Number((bytes / unit).toPrecision(3))} ${name}`;
}

function refuse(file: string, what: string, fix: string): never {
  throw new LorikeetError('checkpoint', { file, what, fix });
}
