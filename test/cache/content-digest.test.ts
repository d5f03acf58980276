import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { contentDigest } from '../../src/cache/content-digest.ts';
import type { TensorLocation } from '../../src/formats/safetensors.ts';

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-digest-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'model.bin');
  const write = (text: string) => {
    writeFileSync(file, text);
    utimesSync(file, 1000, 1000); // long ago
  };
  const tensor = (offset: number, byteLength: number): TensorLocation => ({
    file,
    dtype: 'u8',
    shape: [byteLength],
    offset,
    byteLength,
  });
  const remembered = () => {
    try {
      return readdirSync(join(folder, 'cache', 'weights'));
    } catch {
      return [];
    }
  };
  return { file, write, tensor, cache: join(folder, 'cache'), remembered };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

it('is over the bytes of the tensors alone, in their order', () => {
  const { write, tensor, cache } = setUp();
  write('headABBBtail');
  expect(contentDigest([tensor(4, 1), tensor(5, 3)], cache)).toBe(sha256('ABBB'));
  expect(contentDigest([tensor(5, 3), tensor(4, 1)], cache)).toBe(sha256('BBBA'));
});

it('sees another byte behind the same size and time', async () => {
  const { write, tensor, cache, remembered } = setUp();
  write('headABBB');
  expect(contentDigest([tensor(4, 4)], cache)).toBe(sha256('ABBB'));
  expect(remembered()).toEqual([]); // it was just written: the time it was changed at proves nothing yet
  await new Promise((resolve) => setTimeout(resolve, 2100));
  expect(contentDigest([tensor(4, 4)], cache)).toBe(sha256('ABBB'));
  expect(remembered()).toHaveLength(1);
  write('headACBB');
  expect(contentDigest([tensor(4, 4)], cache)).toBe(sha256('ACBB'));
});

it('believes what it remembers of a file that nobody touched, and nothing that is no digest', async () => {
  const { write, tensor, cache, remembered } = setUp();
  write('headABBB');
  await new Promise((resolve) => setTimeout(resolve, 2100));
  contentDigest([tensor(4, 4)], cache);
  const [name] = remembered();
  writeFileSync(join(cache, 'weights', name), 'f'.repeat(64));
  expect(contentDigest([tensor(4, 4)], cache)).toBe('f'.repeat(64));
  writeFileSync(join(cache, 'weights', name), 'half a dig');
  expect(contentDigest([tensor(4, 4)], cache)).toBe(sha256('ABBB'));
});
