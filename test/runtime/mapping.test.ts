/** Frozen weights stay in the user's file, wherever links lead and however they are stored. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openCheckpointFolder } from '../../src/formats/checkpoint-folder.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { openSession } from '../../src/runtime/session.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-mapping-'));
afterAll(() => rmSync(folder, { recursive: true }));

const values = Float32Array.from({ length: 12 }, (_, i) => i - 5.5);

/** x W' with W [3, 4] mapped from where the folder says it is. */
async function multiply(dir: string) {
  const location = (await openCheckpointFolder(dir)).get('w')!;
  const graph = new GraphBuilder();
  const x = graph.input('x', { shape: ['T', 4], dtype: 'f32' });
  const y = graph.matmul(x, graph.parameter('w', location.shape, location), { transB: true });
  graph.output('y', y);
  const session = await openSession(graph.finish(), { target: 'cpu', threads: 1 });
  const results = await session.run({ x: { data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] } });
  await session.close();
  return [...results.y];
}

const expected = [0, 4, 8].map((row) => [0, 1, 2, 3].reduce((sum, i) => sum + (i + 1) * values[row + i], 0));

it.each(['f32', 'f16', 'bf16'] as const)('maps %s', async (dtype) => {
  const dir = join(folder, dtype);
  mkdirSync(dir);
  // A tensor of odd size before it puts the weight at an odd place.
  const odd = { name: 'a', dtype: 'u8' as const, shape: [3], data: Uint8Array.of(1, 2, 3) };
  await writeSafetensors(join(dir, 'model.safetensors'), [
    odd,
    { name: 'w', dtype, shape: [3, 4], data: values },
  ]);
  expect(await multiply(dir)).toEqual(expected);
});

it('follows the links of a hub cache out of the snapshot', async () => {
  const cache = join(folder, 'models--org--model');
  const snapshot = join(cache, 'snapshots', 'abc');
  mkdirSync(join(cache, 'blobs'), { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  await writeSafetensors(join(cache, 'blobs', 'f00d'), [
    { name: 'w', dtype: 'f32', shape: [3, 4], data: values },
  ]);
  symlinkSync('../../blobs/f00d', join(snapshot, 'model.safetensors'));
  expect(await multiply(snapshot)).toEqual(expected);
});

it('maps weights from folders that share nothing but the root', async () => {
  const locations = [];
  for (const name of ['one', 'two/deep']) {
    const dir = join(folder, name);
    mkdirSync(dir, { recursive: true });
    await writeSafetensors(join(dir, 'model.safetensors'), [
      { name: 'w', dtype: 'f32', shape: [3, 4], data: values },
    ]);
    locations.push((await openCheckpointFolder(dir)).get('w')!);
  }
  const graph = new GraphBuilder();
  const [a, b] = locations.map((location, i) => graph.parameter(`w${i}`, location.shape, location));
  graph.output('y', graph.add(a, b));
  const session = await openSession(graph.finish(), { target: 'cpu', threads: 1 });
  const { y } = await session.run({});
  await session.close();
  expect([...y]).toEqual([...values].map((value) => 2 * value));
});
