/**
 * The cache that Python's `huggingface_hub` keeps, file by file: `models--ORG--NAME/` with `blobs/` named by content,
 * `snapshots/COMMIT/` of relative links to them, and `refs/REVISION` with the commit that a branch stood at.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { link, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../formats/atomic.ts';
import { isCommit, type ModelId } from './model-id.ts';

export interface RepoFolder {
  blobs: string;
  snapshot(commit: string): string;
  ref(revision: string): string;
}

export function repoFolder(cache: string, id: string): RepoFolder {
  const folder = join(cache, `models--${id.replace('/', '--')}`);
  return {
    blobs: join(folder, 'blobs'),
    snapshot: (commit) => join(folder, 'snapshots', commit),
    ref: (revision) => join(folder, 'refs', revision),
  };
}

/** The folder of a pulled model; undefined where it is not in the cache. Reads file names and one small file. */
export function findSnapshot(cache: string, { id, revision = 'main' }: ModelId): string | undefined {
  const repo = repoFolder(cache, id);
  const commit = isCommit(revision) ? revision : readRef(repo.ref(revision));
  if (commit === undefined) return undefined;
  const snapshot = repo.snapshot(commit);
  return existsSync(join(snapshot, 'config.json')) ? snapshot : undefined;
}

function readRef(file: string): string | undefined {
  try {
    const commit = readFileSync(file, 'utf8').trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}

/** Which model a folder of the cache is: `.../models--ORG--NAME/snapshots/COMMIT`; undefined for any other. */
export function pulledModel(folder: string): { id: string; commit: string } | undefined {
  const found = /(?:^|[\\/])models--([\w.-]+?)--([\w.-]+)[\\/]snapshots[\\/]([0-9a-f]{40})[\\/]?$/.exec(
    folder,
  );
  return found ? { id: `${found[1]}/${found[2]}`, commit: found[3] } : undefined;
}

/** Gives blobs their names in a snapshot. A link is there whole or not at all, and may be there already. */
export async function linkSnapshot(
  repo: RepoFolder,
  commit: string,
  files: readonly { path: string; etag: string }[],
): Promise<void> {
  const snapshot = repo.snapshot(commit);
  await mkdir(snapshot, { recursive: true });
  for (const { path, etag } of files) {
    const target = `../../blobs/${etag}`;
    const name = join(snapshot, path);
    if ((await readlink(name).catch(() => undefined)) === target) continue;
    const temporary = join(snapshot, `.${path}.${randomBytes(6).toString('hex')}.tmp`);
    try {
      // Where links need rights that the user has not (Windows), a second name of the file serves as well.
      await symlink(target, temporary).catch(() => link(join(repo.blobs, etag), temporary));
      await rename(temporary, name);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** Says where a branch or tag stands now; a commit needs no such file. */
export async function writeRef(repo: RepoFolder, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  const file = repo.ref(revision);
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomically(file, async (handle) => {
    await handle.write(commit);
  });
}
