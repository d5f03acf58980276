/** A folder that knows what it holds: a manifest with length and SHA-256 of every file, so that damage is found on reading. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, stat, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { isObject, type JsonObject, readJsonObject } from './json.ts';

export const manifestName = 'manifest.json';

/** Lowercase hex, of a file of any length. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** Writes the manifest of all files that stand in the folder now. */
export async function writeManifest(folder: string): Promise<void> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const name of await filesIn(folder)) {
    const file = join(folder, name);
    files[name.split(sep).join('/')] = { bytes: (await stat(file)).size, sha256: await sha256Of(file) };
  }
  await writeFile(join(folder, manifestName), `${JSON.stringify({ files }, null, 2)}\n`, { flush: true });
}

/** What is not as the manifest says, or nothing where all of it is. Files that it does not name are passed over. */
export async function damageOf(folder: string): Promise<string | undefined> {
  const manifest = await readManifest(folder);
  if (typeof manifest === 'string') return manifest;
  for (const [name, entry] of Object.entries(manifest)) {
    if (!isObject(entry) || name.split('/').includes('..')) return `${manifestName} is not as it was written`;
    const found = await lstat(join(folder, name)).catch(() => undefined); // no link leads elsewhere
    if (!found?.isFile()) return `${name} is missing`;
    if (found.size !== entry.bytes) return `${name} expected ${entry.bytes} bytes, got ${found.size}`;
    const sum = await sha256Of(join(folder, name)).catch((error: Error) => error.message);
    if (sum !== entry.sha256) return `${name} expected SHA-256 ${shown(entry.sha256)}, got ${shown(sum)}`;
  }
  return undefined;
}

/** The files that the manifest of a folder without damage names, with slashes. */
export async function manifestFiles(folder: string): Promise<string[]> {
  const manifest = await readManifest(folder);
  return typeof manifest === 'string' ? [] : Object.keys(manifest);
}

async function readManifest(folder: string): Promise<JsonObject | string> {
  try {
    const { files } = await readJsonObject(join(folder, manifestName), 'run', 2 ** 20);
    return isObject(files) ? files : `${manifestName} is not as it was written`;
  } catch {
    return `${manifestName} is missing or not whole`;
  }
}

function shown(sum: unknown): string {
  return `${String(sum).slice(0, 12)}...`;
}

async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const stats = await Promise.all(names.map((name) => stat(join(folder, name))));
  return names.filter((_, i) => stats[i].isFile());
}
