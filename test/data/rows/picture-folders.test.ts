/** Paths in rows are other people's words: what they may reach, and what they may not even look for. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/dataset.ts';
import { folderOf } from '../folder.ts';

/** A data file in `data/`, pictures in `data/` and `pictures/`, and a secret beside them. */
async function pathOf(
  image: (root: string) => unknown,
  options: { images?: string; outside?: 'allow'; prepare?: (root: string) => void } = {},
): Promise<string> {
  const root = folderOf({ 'data/a.png': '', 'data/sub/b.png': '', 'pictures/p.png': '', 'secret.png': '' });
  options.prepare?.(root);
  const row = { image: image(root), question: 'q', answer: 'a' };
  writeFileSync(join(root, 'data/rows.jsonl'), JSON.stringify(row));
  const dataset = await openDataset(join(root, 'data/rows.jsonl'), {
    name: 'train',
    outside: options.outside,
    images: options.images && join(root, options.images),
  });
  const [part] = (await dataset.example(0)).turns[0].content;
  return 'image' in part && 'path' in part.image ? part.image.path.slice(root.length + 1) : 'no path';
}

const refused =
  /^.*rows\.jsonl:1, row 0: image ".*" expected in .*, got .*(secret|passwd|link|p\.png).*data\.outside: allow\.$/;

describe('a picture may lie', () => {
  it.each<[string, (root: string) => unknown, string, string?]>([
    ['beside the data file', () => 'a.png', 'data/a.png'],
    ['in a folder under it', () => './sub/../sub/b.png', 'data/sub/b.png'],
    ['there by its whole path', (root) => join(root, 'data/a.png'), 'data/a.png'],
    ['there by a file URL', (root) => pathToFileURL(join(root, 'data/a.png')).href, 'data/a.png'],
    ['in data.images', () => 'p.png', 'pictures/p.png', 'pictures'],
    ['beside the data file though data.images is given', () => '../data/a.png', 'data/a.png', 'pictures'],
  ])('%s', async (_, image, path, images) => {
    expect(await pathOf(image, { images })).toBe(path);
  });

  it('in a folder that is a link, as data.images or under its name', async () => {
    const prepare = (root: string) => symlinkSync(join(root, 'pictures'), join(root, 'linked'));
    expect(await pathOf(() => 'p.png', { images: 'linked', prepare })).toBe('linked/p.png');
    expect(await pathOf((root) => join(root, 'pictures/p.png'), { images: 'linked', prepare })).toBe(
      'pictures/p.png',
    );
  });

  it('anywhere where the config allows it', async () => {
    expect(await pathOf(() => '../secret.png', { outside: 'allow' })).toBe('secret.png');
    const prepare = (root: string) => symlinkSync(join(root, 'secret.png'), join(root, 'data/link.png'));
    expect(await pathOf(() => 'link.png', { outside: 'allow', prepare })).toBe('data/link.png');
  });
});

describe('a picture is refused', () => {
  it.each<[string, (root: string) => unknown]>([
    ['above the data', () => '../secret.png'],
    ['above the data by a way round', () => 'sub/../../secret.png'],
    ['by its whole path', (root) => join(root, 'secret.png')],
    ['by a file URL', (root) => pathToFileURL(join(root, 'secret.png')).href],
    ['by the path of parquet or of a part', (root) => ({ path: join(root, 'secret.png') })],
    ['whether or not it is there', () => '/etc/passwd-that-is-not-there'],
    ['in a folder whose name only begins alike', () => '../data-secret/x.png'],
  ])('%s', async (_, image) => {
    const prepare = (root: string) => mkdirSync(join(root, 'data-secret'));
    await expect(pathOf(image, { prepare })).rejects.toThrow(refused);
  });

  it("where its name is longer than any file's", async () => {
    const long = pathOf(() => 'x'.repeat(5000));
    await expect(long).rejects.toMatchObject({ code: 'image' });
    await expect(long).rejects.toThrow(/expected at .{100,220}\.\.\. or .*got no such file/);
  });

  it('behind a link in the data folder, to a file or a folder', async () => {
    const toFile = (root: string) => symlinkSync(join(root, 'secret.png'), join(root, 'data/link.png'));
    await expect(pathOf(() => 'link.png', { prepare: toFile })).rejects.toThrow(
      /got a link that leads out of it/,
    );
    const toFolder = (root: string) => symlinkSync(join(root, 'pictures'), join(root, 'data/link'));
    await expect(pathOf(() => 'link/p.png', { prepare: toFolder })).rejects.toThrow(/a link that leads out/);
  });
});
