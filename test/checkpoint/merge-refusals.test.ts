/** What a merge refuses, and what is left on the disk when it does, or is stopped, or the disk fills. */

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MergeOptions, merge } from '../../src/checkpoint/merge.ts';
import { parseSize } from '../../src/checkpoint/merge-plan.ts';
import { exportOnnx } from '../../src/checkpoint/onnx-export.ts';
import { LorikeetError } from '../../src/errors.ts';
import { canMount } from '../support/mount.ts';
import {
  adapterTensors,
  type CaseFolders,
  loadMergedCase,
  writeAdapterFolder,
  writeMergedCase,
} from './merged-case.ts';

const parity = loadMergedCase('f32-sharded-new');
const root = mkdtempSync(path.join(tmpdir(), 'lorikeet-merge-refusals-'));
let source: CaseFolders;
let count = 0;
beforeAll(async () => {
  source = await writeMergedCase(path.join(root, 'source'), parity);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A place of its own, whose listing afterwards tells what was left behind. */
function place(): string {
  const dir = path.join(root, `place-${count++}`);
  mkdirSync(dir);
  return dir;
}

async function refusal(options: Partial<MergeOptions>): Promise<LorikeetError> {
  const error = await merge({ ...source, output: path.join(place(), 'out'), ...options }).catch(
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(LorikeetError);
  return error as LorikeetError;
}

type Tensors = ReturnType<typeof adapterTensors>;

async function adapterWith(change: (tensors: Tensors) => void, lora = {}): Promise<string> {
  const tensors = new Map(
    [...adapterTensors(parity)].map(([key, { shape, values }]) => [key, { shape, values }]),
  );
  change(tensors);
  const dir = path.join(place(), 'adapter');
  await writeAdapterFolder(dir, { ...parity.lora, ...lora }, tensors);
  return dir;
}

describe('an output folder that is in the way', () => {
  it('is kept: a model unless it may be replaced, anything else always', async () => {
    const dir = place();
    const output = path.join(dir, 'out');
    mkdirSync(output);
    await merge({ ...source, output });
    const before = readdirSync(output);
    expect((await refusal({ output })).message).toBe(
      `${output}: holds a model already. Name another folder, or replace it with --overwrite.`,
    );
    await merge({ ...source, output, overwrite: true, dtype: 'bf16' });
    expect(readdirSync(output)).toEqual(before);
    expect(readFileSync(path.join(output, 'config.json'), 'utf8')).toContain('bfloat16');
    const thesis = path.join(dir, 'thesis');
    mkdirSync(thesis);
    writeFileSync(path.join(thesis, 'thesis.tex'), 'x');
    expect((await refusal({ output: thesis, overwrite: true })).what).toBe(
      'holds something else than a model',
    );
    expect((await refusal({ output: path.join(thesis, 'thesis.tex'), overwrite: true })).what).toBe(
      'is a file',
    );
    expect(readdirSync(dir).sort()).toEqual(['out', 'thesis']);
  });

  it('may not be, hold or lie in what is read, by whatever way it is named', async () => {
    const dir = place();
    const folders = { model: path.join(dir, 'all/model'), adapter: path.join(dir, 'all/adapter') };
    cpSync(source.model, folders.model, { recursive: true });
    cpSync(source.adapter, folders.adapter, { recursive: true });
    symlinkSync(folders.model, path.join(dir, 'link'));
    const told = async (output: string) =>
      (await refusal({ ...folders, output: path.join(dir, output), overwrite: true })).what;
    expect(await told('all/model')).toBe('is the folder of the model that is read');
    expect(await told('link')).toBe('is the folder of the model that is read');
    expect(await told('link/sub/merged')).toBe('is inside the model that is read');
    expect(await told('all/adapter/merged')).toBe('is inside the adapter that is read');
    expect(await told('all')).toBe('is around the model that is read');
    expect(readdirSync(path.join(dir, 'all')).sort()).toEqual(['adapter', 'model']);
    // A name that only begins alike is another folder.
    await merge({ ...folders, output: path.join(dir, 'all/model-merged') });
  });
});

it('a type that cannot be written is named before anything is', async () => {
  const dtype = 'int4' as 'f16';
  expect((await refusal({ dtype })).what).toBe('dtype expected one of same, f32, f16, bf16, got "int4"');
  const output = path.join(place(), 'out');
  const exporting = exportOnnx({ ...source, output, dtype: 'bf16' as 'f16' });
  await expect(exporting).rejects.toThrow('dtype expected one of f32, f16, got "bf16"');
  expect(existsSync(output)).toBe(false);
});

describe('an adapter that does not fit', () => {
  const stem = 'base_model.model.model.language_model.layers.0.self_attn.q_proj';

  it('is refused with the names of the tensors that have no place', async () => {
    const adapter = await adapterWith((tensors) => {
      tensors.set(
        'base_model.model.model.language_model.layers.7.mlp.up_proj.lora_A.weight',
        tensors.get(`${stem}.lora_A.weight`)!,
      );
      tensors.set('base_model.model.lm_head.lora_A.weight', tensors.get(`${stem}.lora_A.weight`)!);
    });
    const { code, message } = await refusal({ adapter });
    expect(code).toBe('adapter');
    expect(message).toContain('2 tensors belong to no linear layer of the model');
    expect(message).toContain(
      'lm_head.lora_A.weight, model.language_model.layers.7.mlp.up_proj.lora_A.weight',
    );
  });

  it('is refused for a shape, a missing half and a value that is no number', async () => {
    const misshaped = await adapterWith((tensors) => {
      tensors.set(`${stem}.lora_A.weight`, { shape: [3, 31], values: new Float32Array(93) });
    });
    expect((await refusal({ adapter: misshaped })).message).toMatch(
      /q_proj\.lora_A\.weight: expected \[3, 32\].*got \[3, 31\]/,
    );
    const half = await adapterWith((tensors) => tensors.delete(`${stem}.lora_B.weight`));
    expect((await refusal({ adapter: half })).message).toMatch(/lora_B\.weight: is missing/);
    const broken = await adapterWith((tensors) => {
      const { shape, values } = tensors.get(`${stem}.lora_B.weight`)!;
      tensors.set(`${stem}.lora_B.weight`, {
        shape,
        values: values.map((value, i) => (i === 5 ? Number.NaN : value)),
      });
    });
    expect((await refusal({ adapter: broken })).message).toMatch(
      /q_proj\.lora_B\.weight: holds values that are not finite/,
    );
  });

  it('leaves the weights of modules alone whose B is zero, and names them', async () => {
    const adapter = await adapterWith((tensors) => {
      for (const [key, { shape, values }] of tensors)
        if (key.includes('lora_B')) tensors.set(key, { shape, values: new Float32Array(values.length) });
    });
    const output = path.join(place(), 'out');
    const report = await merge({ ...source, adapter, output });
    expect(report).toMatchObject({ modules: [], untrained: { length: parity.lora.modules.length } });
    expect(report.rounding).toBeUndefined();
    for (const file of report.files)
      expect(tensorBytes(output, file)).toEqual(tensorBytes(source.model, file));
  });

  it('is refused where a merged weight is beyond the range of its type', async () => {
    const dir = place();
    const adapter = await adapterWith(() => {}, { alpha: 1e7 });
    const { message } = await refusal({ adapter, output: path.join(dir, 'out'), dtype: 'f16' });
    expect(message).toMatch(
      /tensor .*: holds -?[\d.e+]+, which f16 cannot hold\. Store the merged model as bf16 or f32/,
    );
    expect(readdirSync(dir)).toEqual([]);
  });
});

/** Tensors by name: the order in a file is free. */
function tensorBytes(dir: string, file: string): Record<string, string> {
  const bytes = readFileSync(path.join(dir, file));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  const entries = Object.entries(header as Record<string, { data_offsets: [number, number] }>);
  return Object.fromEntries(
    entries
      .map(
        ([
          name,
          {
            data_offsets: [begin, end],
          },
        ]) => [name, bytes.subarray(8 + length + begin, 8 + length + end).toString('base64')],
      )
      .sort(),
  );
}

describe('a base that cannot be used', () => {
  it('is refused before anything is written', async () => {
    const dir = place();
    const model = path.join(dir, 'model');
    cpSync(source.model, model, { recursive: true });
    rmSync(path.join(model, 'model-00002-of-00003.safetensors'));
    expect((await refusal({ model, output: path.join(dir, 'out') })).message).toContain(
      'model-00002-of-00003',
    );
    expect((await refusal({ model: path.join(dir, 'none') })).message).toMatch(
      /none: .*found no such folder/,
    );
    expect((await refusal({ adapter: path.join(dir, 'none') })).code).toBe('adapter');
    expect(readdirSync(dir)).toEqual(['model']);
  });
});

describe('a merge that ends early', () => {
  it('leaves nothing where it is aborted, and what stood there as it was', async () => {
    const dir = place();
    const output = path.join(dir, 'out');
    await merge({ ...source, output });
    const before = tensorBytes(output, 'model-00001-of-00003.safetensors');
    for (const phase of ['check', 'write', 'verify']) {
      const stop = new AbortController();
      const merging = merge({
        ...source,
        output,
        overwrite: true,
        dtype: 'bf16',
        signal: stop.signal,
        onProgress: (progress) => progress.phase === phase && stop.abort(),
      });
      await expect(merging).rejects.toHaveProperty('name', 'AbortError');
      expect(readdirSync(dir), phase).toEqual(['out']);
    }
    expect(tensorBytes(output, 'model-00001-of-00003.safetensors')).toEqual(before);
  });
});

describe.skipIf(!canMount)('on a disk that is too small (needs root, to mount one)', () => {
  const disk = path.join(root, 'disk');

  function onDisk(kilobytes: number, use: () => Promise<void>): Promise<void> {
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', disk]);
    return use().finally(() => execFileSync('umount', [disk]));
  }

  it('says how much it needs before it writes', () =>
    onDisk(128, async () => {
      const { message } = await refusal({ output: path.join(disk, 'a/b/out') });
      expect(message).toMatch(
        /needs 3\d\d KB on its disk, which has 131 KB free\. Make room, or name a folder on another disk\.$/,
      );
      expect(readdirSync(disk)).toEqual([]);
    }));

  it('leaves nothing where the disk fills on the way', () =>
    onDisk(512, async () => {
      const filler = path.join(disk, 'filler');
      const output = path.join(disk, 'out');
      const onProgress = ({ phase }: { phase: string }) => {
        if (phase === 'write' && !existsSync(filler)) fillDisk(filler);
      };
      const { code, message } = await refusal({ output, onProgress });
      expect(code).toBe('checkpoint');
      expect(message).toMatch(
        /out: could not be written: ENOSPC.*; nothing of it was kept\. Check that .* the disk is not full\.$/,
      );
      expect(readdirSync(disk)).toEqual(['filler']);
    }));

  function fillDisk(file: string): void {
    try {
      writeFileSync(file, Buffer.alloc(2 ** 20));
    } catch {}
  }
});

describe('sizes', () => {
  it.each([
    ['5GB', 5e9],
    ['500 mb', 5e8],
    ['1.5kb', 1500],
    ['2000000', 2e6],
    ['7B', 7],
  ])('%s are %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', '5 bananas', '-1GB', '0', '5G', '1e9', '99999999999TB'])('%j is none', (text) => {
    expect(() => parseSize(text)).toThrow(/expected a size such as 5GB/);
  });
});
