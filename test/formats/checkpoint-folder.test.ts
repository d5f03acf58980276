import { mkdir, mkdtemp, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openCheckpointFolder } from '../../src/formats/checkpoint-folder.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';

let dir: string;

beforeEach(async () => {
  dir = await realpath(await mkdtemp(path.join(tmpdir(), 'checkpoint-')));
});

const shard = (name: string, ...tensors: string[]) =>
  writeSafetensors(
    path.join(dir, name),
    tensors.map((tensor) => ({ name: tensor, dtype: 'f32' as const, shape: [1], data: Float32Array.of(1) })),
  );

const index = (weightMap: unknown) =>
  writeFile(
    path.join(dir, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: weightMap }),
  );

describe('openCheckpointFolder', () => {
  it('reads one file, which goes before an index, as in the reference', async () => {
    await shard('model.safetensors', 'a', 'b');
    await index({ c: 'gone.safetensors' });
    expect([...(await openCheckpointFolder(dir)).keys()]).toEqual(['a', 'b']);
  });

  it('reads shards through their index, links resolved as in the hub cache', async () => {
    await shard('model-00001-of-00002.safetensors', 'a', 'b');
    await shard('model-00002-of-00002.safetensors', 'c');
    await mkdir(path.join(dir, 'blobs'));
    await rename(path.join(dir, 'model-00002-of-00002.safetensors'), path.join(dir, 'blobs', 'f00'));
    await symlink('blobs/f00', path.join(dir, 'model-00002-of-00002.safetensors'));
    const first = 'model-00001-of-00002.safetensors';
    await index({ a: first, b: first, c: 'model-00002-of-00002.safetensors' });
    const tensors = await openCheckpointFolder(dir);
    expect(tensors.size).toBe(3);
    expect(tensors.get('c')!.file).toBe(path.join(dir, 'blobs', 'f00'));
  });

  it('refuses an index that names a missing shard', async () => {
    await shard('one.safetensors', 'a');
    await index({ a: 'one.safetensors', b: 'two.safetensors' });
    await expect(openCheckpointFolder(dir)).rejects.toThrow(
      'names the shard two.safetensors, which is not in the folder',
    );
  });

  it('refuses an index that names a tensor its shard lacks, and a tensor that the index lacks', async () => {
    await shard('one.safetensors', 'a');
    await index({ a: 'one.safetensors', b: 'one.safetensors' });
    await expect(openCheckpointFolder(dir)).rejects.toThrow(/tensor b: is promised by .* but missing here/);
    await shard('one.safetensors', 'a', 'b', 'c');
    await expect(openCheckpointFolder(dir)).rejects.toThrow(/tensor c: stands here but/);
  });

  it.each([
    '../one.safetensors',
    '/etc/one.safetensors',
    'sub/one.safetensors',
    'sub\\one.safetensors',
    'one.bin',
    '.',
    '',
  ])('refuses the shard name %j', async (name) => {
    await index({ a: name });
    await expect(openCheckpointFolder(dir)).rejects.toThrow(
      'expected the name of a .safetensors file in this folder',
    );
  });

  it.each([undefined, [], 'text', {}, { a: 1 }, { a: ['x.safetensors'] }])(
    'refuses the weight map %j',
    async (weightMap) => {
      await index(weightMap);
      await expect(openCheckpointFolder(dir)).rejects.toMatchObject({ code: 'checkpoint' });
    },
  );

  it('refuses a broken index', async () => {
    await writeFile(path.join(dir, 'model.safetensors.index.json'), '{"weight_map": {"a": "one.safe');
    await expect(openCheckpointFolder(dir)).rejects.toThrow('is not valid JSON');
  });

  it('says what is needed where there is no safetensors file', async () => {
    await expect(openCheckpointFolder(dir)).rejects.toThrow('found an empty folder');
    await writeFile(path.join(dir, 'pytorch_model.bin'), '');
    await expect(openCheckpointFolder(dir)).rejects.toThrow('safetensors is needed');
    await writeFile(path.join(dir, 'adapter_model.safetensors'), '');
    await expect(openCheckpointFolder(dir)).rejects.toThrow('holds an adapter, not a model');
    await expect(openCheckpointFolder(path.join(dir, 'no'))).rejects.toThrow('found no such folder');
    await writeFile(path.join(dir, 'file'), '');
    await expect(openCheckpointFolder(path.join(dir, 'file'))).rejects.toThrow('got a file');
    await mkdir(path.join(dir, 'models--a--b', 'snapshots', 'f00'), { recursive: true });
    await expect(openCheckpointFolder(path.join(dir, 'models--a--b'))).rejects.toThrow(/snapshots.f00/);
  });

  it('misses the index of shards', async () => {
    await shard('model-00001-of-00001.safetensors', 'a');
    await expect(openCheckpointFolder(dir)).rejects.toThrow('but no model.safetensors.index.json');
  });
});
