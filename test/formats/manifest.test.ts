import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fingerprint } from '../../src/formats/fingerprint.ts';
import { damageOf, manifestName, writeManifest } from '../../src/formats/manifest.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-manifest-'));
  mkdirSync(join(folder, 'deep'));
  writeFileSync(join(folder, 'a'), 'abc');
  writeFileSync(join(folder, 'deep', 'b'), 'def');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('names every file with its length and SHA-256', async () => {
  await writeManifest(folder);
  // The digest of "abc" in FIPS 180-2, appendix B.1.
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  const { files } = JSON.parse(readFileSync(join(folder, manifestName), 'utf8'));
  expect(Object.keys(files)).toEqual(['a', 'deep/b']);
  expect(files.a).toEqual({ bytes: 3, sha256 });
  expect(await damageOf(folder)).toBeUndefined();
  writeFileSync(join(folder, 'notes'), 'of somebody else');
  expect(await damageOf(folder)).toBeUndefined();
});

it('tells what is not as it says', async () => {
  await writeManifest(folder);
  writeFileSync(join(folder, 'deep', 'b'), 'deg');
  expect(await damageOf(folder)).toMatch(
    /^deep\/b expected SHA-256 cb8379ac2098\.\.\., got [0-9a-f]{12}\.\.\.$/,
  );
  writeFileSync(join(folder, 'a'), 'ab');
  expect(await damageOf(folder)).toBe('a expected 3 bytes, got 2');
  rmSync(join(folder, 'a'));
  expect(await damageOf(folder)).toBe('a is missing');
  for (const text of [
    '',
    '[]',
    '{"files": 3}',
    '{"files": {"../a": {"bytes": 1, "sha256": "x"}}}',
    '{"files": {"deep": 3}}',
  ]) {
    writeFileSync(join(folder, manifestName), text);
    expect(await damageOf(folder), text).toMatch(/^manifest\.json is /);
  }
  rmSync(join(folder, manifestName));
  expect(await damageOf(folder)).toBe('manifest.json is missing or not whole');
});

it('a fingerprint tells files apart by name, length and bytes, and large ones by pieces of them', async () => {
  const all = () => fingerprint(folder, (name) => name.length === 1);
  const first = await all();
  expect(await all()).toBe(first);
  writeFileSync(join(folder, 'a'), 'abd');
  const other = await all();
  expect(other).not.toBe(first);
  writeFileSync(join(folder, 'c'), '');
  expect(await all()).not.toBe(other);
  const large = Buffer.alloc(65 * 2 ** 20);
  writeFileSync(join(folder, 'd'), large);
  const before = await all();
  for (const at of [0, large.length - 1]) {
    const changed = Buffer.from(large);
    changed[at] = 1;
    writeFileSync(join(folder, 'd'), changed);
    expect(await all()).not.toBe(before);
  }
});
