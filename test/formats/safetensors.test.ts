import { mkdir, mkdtemp, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import {
  readSafetensorsHeader,
  readTensor,
  readTensorBytes,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { stream } from '../../src/random.ts';

let dir: string;
let count = 0;

beforeAll(async () => {
  dir = await realpath(await mkdtemp(path.join(tmpdir(), 'safetensors-')));
});

/** A file with this header text and this many data bytes. */
async function fileWith(header: string | object, dataBytes: number, claimed?: bigint): Promise<string> {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(claimed ?? BigInt(text.length));
  const file = path.join(dir, `case-${count++}.safetensors`);
  await writeFile(file, Buffer.concat([prefix, text, Buffer.alloc(dataBytes)]));
  return file;
}

async function problem(promise: Promise<unknown>): Promise<LorikeetError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LorikeetError);
  expect((error as LorikeetError).code).toBe('checkpoint');
  return error as LorikeetError;
}

const f32 = (shape: number[], begin: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('writing and reading back', () => {
  it('keeps values, shapes, element types and metadata', async () => {
    const file = path.join(dir, 'round', 'trip.safetensors');
    const values = Float32Array.of(1, -2.5, 0, 1e-3, 65504, -0);
    await writeSafetensors(
      file,
      [
        { name: 'half', dtype: 'f16', shape: [6], data: values },
        { name: 'brain', dtype: 'bf16', shape: [3, 2], data: async () => values },
        { name: 'full', dtype: 'f32', shape: [2, 3], data: () => values },
        { name: 'wide', dtype: 'f64', shape: [6], data: values },
        { name: 'bytes', dtype: 'u8', shape: [3], data: Uint8Array.of(1, 2, 3) },
        { name: 'scalar', dtype: 'f32', shape: [], data: Float32Array.of(7) },
        { name: 'empty', dtype: 'f32', shape: [0, 4], data: new Float32Array(0) },
      ],
      { format: 'pt' },
    );
    const { tensors, metadata } = await readSafetensorsHeader(file);
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.get('full')).toMatchObject({ file, dtype: 'f32', shape: [2, 3], byteLength: 24 });
    expect(tensors.get('full')!.offset % 4).toBe(0);
    expect(await readTensor(tensors.get('full')!)).toEqual(values);
    expect(await readTensor(tensors.get('wide')!)).toEqual(values);
    expect((await readTensor(tensors.get('half')!))[4]).toBe(65504);
    expect((await readTensor(tensors.get('brain')!))[1]).toBe(-2.5);
    expect(await readTensor(tensors.get('scalar')!)).toEqual(Float32Array.of(7));
    expect(await readTensor(tensors.get('empty')!)).toHaveLength(0);
    expect([...(await readTensorBytes(tensors.get('bytes')!, 1))]).toEqual([2, 3]);
    const error = await problem(readTensor(tensors.get('bytes')!));
    expect(error.message).toContain('expected floating-point values');
    expect(await readdir(path.dirname(file))).toEqual(['trip.safetensors']);
  });

  it('leaves nothing behind when writing fails, and the old file whole', async () => {
    const folder = path.join(dir, 'atomic');
    const file = path.join(folder, 'a.safetensors');
    await writeSafetensors(file, [{ name: 'a', dtype: 'f32', shape: [1], data: Float32Array.of(1) }]);
    const before = await readFile(file);
    const error = await problem(
      writeSafetensors(file, [{ name: 'a', dtype: 'f32', shape: [2], data: Float32Array.of(1) }]),
    );
    expect(error.message).toContain('expected 8 bytes, got 4');
    expect(await readdir(folder)).toEqual(['a.safetensors']);
    expect(await readFile(file)).toEqual(before);
  });

  it('refuses a name that is given twice and integers made of f32 values', async () => {
    const one = { name: 'a', dtype: 'f32' as const, shape: [1], data: Float32Array.of(1) };
    expect((await problem(writeSafetensors(path.join(dir, 'x'), [one, one]))).message).toContain('twice');
    await problem(writeSafetensors(path.join(dir, 'x'), [{ ...one, dtype: 'i32' }]));
  });

  it('resolves links to the real file', async () => {
    await mkdir(path.join(dir, 'blobs'));
    const real = path.join(dir, 'blobs', 'abc');
    await writeSafetensors(real, [{ name: 'a', dtype: 'f32', shape: [1], data: Float32Array.of(3) }]);
    const link = path.join(dir, 'linked.safetensors');
    await symlink(path.join('blobs', 'abc'), link);
    const location = (await readSafetensorsHeader(link)).tensors.get('a')!;
    expect(location.file).toBe(real);
    expect(await readTensor(location)).toEqual(Float32Array.of(3));
  });
});

describe('broken headers', () => {
  const cases: [string, string | object, number, string, bigint?][] = [
    ['a length beyond the limit', '{}', 0, 'header length expected at most 100000000', 2n ** 63n],
    ['a length beyond the file', '{}', 0, 'header length expected at most 2', 3n],
    ['no JSON', 'xx{}', 0, 'header is not valid JSON'],
    ['a list', '[1]', 0, 'expected a JSON object'],
    ['a byte order mark', '\uFEFF{}', 0, 'not valid JSON'],
    ['a key that stands twice', '{"a":1,"a":1}', 0, 'the key "a" stands twice'],
    [
      '__proto__',
      '{"__proto__":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
      4,
      '"__proto__" is not allowed',
    ],
    ['an entry that is no object', { a: 1 }, 0, 'header entry expected an object'],
    ['an unknown dtype', { a: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4, 'got "F8_E4M3"'],
    [
      'an inherited dtype',
      { a: { dtype: 'toString', shape: [4], data_offsets: [0, 4] } },
      4,
      'dtype expected',
    ],
    ['no dtype', { a: { shape: [1], data_offsets: [0, 4] } }, 4, 'dtype expected one of'],
    ['a negative size', { a: f32([-1], 0, 4) }, 4, 'shape expected non-negative integers'],
    ['a fractional size', { a: f32([1.5], 0, 6) }, 6, 'shape expected non-negative integers'],
    ['a huge size', { a: f32([2 ** 60], 0, 4) }, 4, 'shape expected non-negative integers'],
    ['a product that overflows', { a: f32([2 ** 52, 2 ** 52], 0, 4) }, 4, 'expected 8.1'],
    ['no shape', { a: { dtype: 'F32', data_offsets: [0, 4] } }, 4, 'shape expected'],
    [
      'three offsets',
      { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } },
      8,
      'data_offsets expected',
    ],
    ['offsets the wrong way round', { a: f32([1], 4, 0) }, 4, 'begin <= end'],
    [
      'text as offsets',
      { a: { dtype: 'F32', shape: [1], data_offsets: ['0', '4'] } },
      4,
      'data_offsets expected',
    ],
    ['bytes that do not fit the shape', { a: f32([2], 0, 4) }, 4, 'f32 [2] expected 8 bytes, got 4'],
    ['an end past the file', { a: f32([4], 0, 16) }, 8, 'past the end of the file'],
    ['an overlap', { a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12, 'overlaps'],
    ['a gap', { a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12, 'gap'],
    ['a gap at the start', { a: f32([1], 4, 8) }, 8, 'gap'],
    ['bytes after the last tensor', { a: f32([1], 0, 4) }, 8, "(the file's end)"],
    ['metadata that is no text', { __metadata__: { a: 1 } }, 0, '__metadata__ expected an object of strings'],
  ];
  it.each(cases)('%s', async (_, header, dataBytes, words, claimed) => {
    const file = await fileWith(header, dataBytes, claimed);
    const error = await problem(readSafetensorsHeader(file));
    expect(error.message).toContain(words);
    expect(error.place.file).toBe(file);
    expect(error.fix).toBeTruthy();
  });

  it('names the tensor', async () => {
    const error = await problem(readSafetensorsHeader(await fileWith({ 'layer.weight': f32([2], 0, 4) }, 4)));
    expect(error.place.tensor).toBe('layer.weight');
  });

  it('refuses short files, folders, missing files and Git LFS pointers', async () => {
    const short = path.join(dir, 'short');
    await writeFile(short, 'abc');
    expect((await problem(readSafetensorsHeader(short))).message).toContain('got 3');
    await problem(readSafetensorsHeader(dir));
    await problem(readSafetensorsHeader(path.join(dir, 'not-there')));
    const pointer = path.join(dir, 'pointer');
    await writeFile(pointer, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n');
    expect((await problem(readSafetensorsHeader(pointer))).message).toContain('Git LFS pointer');
  });

  it('says so when a file shrank after its header was read', async () => {
    const file = await fileWith({ a: f32([1], 0, 4) }, 4);
    const location = (await readSafetensorsHeader(file)).tensors.get('a')!;
    await writeFile(file, 'gone');
    expect((await problem(readTensor(location))).message).toContain('expected 4 bytes');
  });

  it('accepts what the format allows: padding, empty tensors, no tensor at all', async () => {
    expect((await readSafetensorsHeader(await fileWith('{}', 0))).tensors.size).toBe(0);
    const padded = `${JSON.stringify({ b: f32([0], 4, 4), a: f32([1], 0, 4), c: f32([0], 0, 0) })}     `;
    expect((await readSafetensorsHeader(await fileWith(padded, 4))).tensors.size).toBe(3);
  });

  it('ends in a typed error or a right result for 600 mutations of a good file', async () => {
    const good = await fileWith(
      { a: f32([2, 2], 0, 16), b: f32([1], 16, 20), __metadata__: { format: 'pt' } },
      20,
    );
    const bytes = await readFile(good);
    const file = path.join(dir, 'mutated');
    const draws = stream(7, 'mutations');
    let refused = 0;
    for (let round = 0; round < 600; round++) {
      const mutated = Buffer.from(bytes);
      const flips = 1 + draws.integer(3);
      for (let flip = 0; flip < flips; flip++) mutated[draws.integer(mutated.length)] = draws.integer(256);
      const kept = draws.integer(4) === 0 ? draws.integer(mutated.length) : mutated.length;
      await writeFile(file, mutated.subarray(0, kept));
      const outcome = await readSafetensorsHeader(file).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        refused++;
        expect(outcome).toBeInstanceOf(LorikeetError);
      } else {
        for (const location of (
          outcome as Awaited<ReturnType<typeof readSafetensorsHeader>>
        ).tensors.values()) {
          expect(location.offset + location.byteLength).toBeLessThanOrEqual(kept);
        }
      }
    }
    expect(refused).toBeGreaterThan(300);
  });
});
