import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { LorikeetError } from '../../src/errors.ts';
import { pulledModel } from '../../src/hub/cache.ts';
import { modelFolder } from '../../src/hub/model-folder.ts';
import { parseModelId } from '../../src/hub/model-id.ts';
import { folderOf } from '../data/folder.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';

function cacheWith(revision = 'main'): { home: string; snapshot: string } {
  const home = folderOf({});
  const repo = join(home, 'hub/models--Qwen--Tiny');
  const snapshot = join(repo, 'snapshots', commit);
  const ref = join(repo, 'refs', revision);
  for (const folder of [snapshot, dirname(ref), join(repo, 'blobs')]) mkdirSync(folder, { recursive: true });
  writeFileSync(ref, commit);
  writeFileSync(join(repo, 'blobs/abc'), '{}');
  symlinkSync('../../blobs/abc', join(snapshot, 'config.json'));
  return { home, snapshot };
}

describe('what `model` means', () => {
  it.each([undefined, null, 7, ''])('is no %j', (written) => {
    expect(() => modelFolder(written as string, '/nowhere', {})).toThrow('model expected a folder or the id');
  });

  it('is the snapshot of a pulled model, by its branch, a tag or the commit', () => {
    const { home, snapshot } = cacheWith();
    const env = { HF_HOME: home };
    expect(modelFolder('Qwen/Tiny', '/nowhere', env)).toBe(snapshot);
    expect(modelFolder('Qwen/Tiny@main', '/nowhere', env)).toBe(snapshot);
    expect(modelFolder(`Qwen/Tiny@${commit}`, '/nowhere', env)).toBe(snapshot);
    const tagged = cacheWith('refs/pr/1');
    expect(modelFolder('Qwen/Tiny@refs/pr/1', '/nowhere', { HF_HOME: tagged.home })).toBe(tagged.snapshot);
  });

  it('is a folder of that name first', () => {
    const { home } = cacheWith();
    const base = folderOf({ 'Qwen/Tiny/config.json': '{}' });
    expect(modelFolder('Qwen/Tiny', base, { HF_HOME: home })).toBe(join(base, 'Qwen/Tiny'));
  });

  it('stays a path where it cannot be an id', () => {
    const { home } = cacheWith();
    for (const path of ['./Qwen/Tiny', 'base', '../Qwen/Tiny', 'a/b/c'])
      expect(modelFolder(path, '/base', { HF_HOME: home })).toBe(join('/base', path));
    expect(modelFolder('/Qwen/Tiny', '/base', { HF_HOME: home })).toBe('/Qwen/Tiny');
  });

  it.each([
    ['Qwen/Other', /lorikeet pull Qwen\/Other$/],
    ['Qwen/Tiny@v2', /lorikeet pull Qwen\/Tiny --revision v2$/],
  ])('%s, not pulled, is one error that names the command', (written, fix) => {
    const { home } = cacheWith();
    const error = refusal(() => modelFolder(written, '/base', { HF_HOME: home }));
    expect(error.what).toBe(
      `model expected a folder or the id of a pulled model, got ${written}: no folder /base/${written}, and not in ${home}/hub`,
    );
    expect(error.fix).toMatch(fix);
  });

  it('is not a cache that only looks like one', () => {
    const home = folderOf({
      'hub/models--Qwen--Tiny/refs/main': '../../../../etc',
      'hub/models--Qwen--Bare/refs/main': commit,
    });
    for (const id of ['Qwen/Tiny', 'Qwen/Bare']) refusal(() => modelFolder(id, '/', { HF_HOME: home }));
  });

  it('is told with its line where a config names what is not pulled', async () => {
    const folder = folderOf({
      'a.yaml': '# first\nmodel: Nobody/Nothing-Here\ndata: { train: t }\noutput: o\n',
    });
    const error = await loadConfig(join(folder, 'a.yaml')).catch((reason) => reason);
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error).toMatchObject({ code: 'config', place: { file: join(folder, 'a.yaml'), line: 2 } });
    expect(error.message).toMatch(/lorikeet pull Nobody\/Nothing-Here\.?$/);
  });
});

describe('the name of a model', () => {
  it.each([
    ['Qwen/Qwen2-VL-2B-Instruct', { id: 'Qwen/Qwen2-VL-2B-Instruct' }],
    ['a/b.c_d@v1.0', { id: 'a/b.c_d', revision: 'v1.0' }],
    ['a/b@refs/pr/3', { id: 'a/b', revision: 'refs/pr/3' }],
  ])('%s', (text, model) => {
    expect(parseModelId(text)).toEqual(model);
  });

  it.each([
    '',
    'a',
    '/a/b',
    'a/b/',
    'a/..',
    './a',
    'a b/c',
    'a/b.git',
    'a--b/c',
    'a/b@',
    'a/b@x@y',
    'a/b@../x',
    'a\\b/c',
  ])('%j is none', (text) => {
    expect(parseModelId(text)).toBeUndefined();
  });

  it('is read back from a folder of the cache', () => {
    const { snapshot } = cacheWith();
    expect(pulledModel(snapshot)).toEqual({ id: 'Qwen/Tiny', commit });
    expect(pulledModel(`C:\\hub\\models--Qwen--Qwen2-VL-2B\\snapshots\\${commit}`)?.id).toBe(
      'Qwen/Qwen2-VL-2B',
    );
    expect(pulledModel('/models/Qwen2-VL')).toBeUndefined();
  });
});

function refusal(work: () => unknown): LorikeetError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(LorikeetError);
    return error as LorikeetError;
  }
  throw new Error('a refusal expected, got none');
}
