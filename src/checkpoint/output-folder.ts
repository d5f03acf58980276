/** Where a model may be written: not over what it is made from, not over what is no model, not on a full disk. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { LorikeetError } from '../errors.ts';
import { listFolder, writeFolderAtomically } from '../formats/atomic.ts';
import { freeBytes, realTarget } from '../formats/free-space.ts';
import { companionFiles } from './companions.ts';

export interface OutputFolder {
  dir: string;
  /** A model that stands there may be replaced. */
  overwrite: boolean;
  /** Folders that are read: the output may neither be in one of them nor hold one. */
  sources: Record<string, string>;
}

/** Throws `checkpoint` errors that say what is in the way. */
export async function checkOutput({ dir, overwrite, sources }: OutputFolder): Promise<void> {
  for (const [name, folder] of Object.entries({ ...sources, output: dir })) checkNamed(name, folder);
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

/** Programs without types may leave it out. */
function checkNamed(name: string, folder: unknown): void {
  if (typeof folder === 'string' && folder !== '') return;
  throw new LorikeetError('checkpoint', {
    what: `${name} expected a folder, got ${folder === '' ? 'an empty text' : typeof folder}`,
    fix: `Name it as a text: { ${name}: "./folder" }.`,
  });
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

/** Bytes of what goes along with the weights of a model. */
export async function companionBytes(model: string): Promise<number> {
  const names = [...(await companionFiles(model)), 'config.json'];
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(model, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * Fills the folder as `writeFolderAtomically` does. What goes wrong with it is told under the name that its reader
 * knows; an aborted signal comes back as its reason.
 */
export async function writeOutput(
  output: string,
  fill: (folder: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  let temporary = output;
  try {
    await writeFolderAtomically(output, (folder) => {
      temporary = folder;
      return fill(folder);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw outputError(output, temporary, cause);
  }
}

function outputError(output: string, temporary: string, cause: unknown): unknown {
  const isOurs = cause instanceof LorikeetError;
  if (isOurs ? !cause.place.file?.startsWith(temporary) : !(cause as NodeJS.ErrnoException).code)
    return cause;
  const reason = isOurs ? cause.what : `could not be written: ${(cause as Error).message}`;
  return new LorikeetError('checkpoint', {
    file: output,
    tensor: isOurs ? cause.place.tensor : undefined,
    what: `${reason}; nothing of it was kept`,
    fix: 'Check that the folder can be written and the disk is not full.',
    cause,
  });
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
