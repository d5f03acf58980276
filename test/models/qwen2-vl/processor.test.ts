import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { decodeImage } from '../../../src/data/image/decode.ts';
import { smartResize } from '../../../src/models/qwen2-vl/processor/smart-resize.ts';
import { loadProcessor } from '../../../src/models/qwen2-vl/processor.ts';
import { expected, folder, realFolder, realImages, sha256 } from '../../data/image/expected.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lorikeet-processor-'));
const { limits, savedConfig } = expected;
const { size: _, ...withoutSize } = savedConfig;
const hubConfig = { ...withoutSize, min_pixels: limits.minPixels, max_pixels: limits.maxPixels };
let folders = 0;

function checkpoint(files: Record<string, unknown>): string {
  const path = join(scratch, String(folders++));
  mkdirSync(path);
  for (const [name, json] of Object.entries(files)) {
    writeFileSync(join(path, name), typeof json === 'string' ? json : JSON.stringify(json));
  }
  return path;
}

const flat = (config: unknown) => checkpoint({ 'preprocessor_config.json': config });

describe('pixel values equal those of transformers', async () => {
  const processor = await loadProcessor(flat(savedConfig));

  test.each(Object.entries(expected.images))('%s', async (name, { size, grid, values }) => {
    const image = await decodeImage({ path: fileURLToPath(new URL(name, folder)) });
    if (!grid) {
      expect(() => processor.patches(image)).toThrow(/aspect ratio/);
      return;
    }
    const patches = processor.patches(image);
    expect(patches.grid).toEqual(grid);
    expect(processor.gridFor(...size)).toEqual(grid);
    expect(processor.tokenCount(patches.grid)).toBe((grid[1] * grid[2]) / 4);
    expect(patches.values.length).toBe(grid[1] * grid[2] * 3 * 2 * 14 * 14);
    expect(sha256(patches.values)).toBe(values);
  });

  test.skipIf(!existsSync(realFolder)).each(Object.entries(realImages))(
    'VQA-RAD %s (skipped without ../shared/data)',
    async (name, { grid, values }) => {
      const image = await decodeImage({ path: fileURLToPath(new URL(name, realFolder)) });
      const patches = processor.patches(image);
      expect(patches.grid).toEqual(grid);
      expect(sha256(patches.values)).toBe(values);
    },
  );
});

describe('smart resize', () => {
  test(`${expected.smartResize.length} sizes as in transformers`, () => {
    for (const [width, height, factor, minPixels, maxPixels, toWidth, toHeight] of expected.smartResize) {
      const got = smartResize(width, height, { factor, minPixels, maxPixels });
      expect(got, `${width}x${height} / ${factor}`).toEqual({ width: toWidth, height: toHeight });
    }
  });

  const golden = new URL('../../../../shared/golden/image-cases.json', import.meta.url);
  test.skipIf(!existsSync(golden))('published cases (skipped without ../shared/golden)', () => {
    const cases: {
      h: number;
      w: number;
      factor: number;
      min_pixels: number;
      max_pixels: number;
      expect: number[];
    }[] = JSON.parse(readFileSync(golden, 'utf8')).smart_resize;
    expect(cases.length).toBeGreaterThan(0);
    for (const { h, w, factor, min_pixels: minPixels, max_pixels: maxPixels, expect: size } of cases) {
      const { height, width } = smartResize(w, h, { factor, minPixels, maxPixels });
      expect([height, width]).toEqual(size);
    }
  });

  test('200:1 is taken, beyond it is refused with the numbers', async () => {
    const processor = await loadProcessor(flat(savedConfig));
    expect(processor.gridFor(200, 1)[0]).toBe(1);
    expect(() => processor.gridFor(201, 1)).toThrow(/at most 200, got 201\.0 \(201x1\)/);
    expect(() => processor.gridFor(1, 4000)).toThrow(/aspect ratio/);
    expect(() => processor.gridFor(0, 10)).toThrow(/above 0, got 0x10/);
  });
});

describe('settings', () => {
  const gridOf = async (path: string, overrides = {}) =>
    (await loadProcessor(path, overrides)).gridFor(640, 480).join();

  test("are read from the hub's form, transformers' form and the nested form, to the same effect", async () => {
    const grid = await gridOf(flat(savedConfig));
    expect(await gridOf(flat(hubConfig))).toBe(grid);
    const nested = checkpoint({ 'processor_config.json': { image_processor: savedConfig } });
    expect(await gridOf(nested)).toBe(grid);
  });

  test('nested settings win over the flat file; a processor_config.json without them does not', async () => {
    const other = { ...savedConfig, size: { shortest_edge: 3136, longest_edge: 12845056 } };
    const both = {
      'processor_config.json': { image_processor: other },
      'preprocessor_config.json': savedConfig,
    };
    expect(await gridOf(checkpoint(both))).toBe('1,34,46');
    const plain = { 'processor_config.json': { processor_class: 'X' }, 'preprocessor_config.json': other };
    expect(await gridOf(checkpoint(plain))).toBe('1,34,46');
  });

  test('min_pixels and max_pixels win over size; overrides win over both', async () => {
    const path = flat({ ...hubConfig, max_pixels: 200704, size: { shortest_edge: 56, longest_edge: 3136 } });
    expect(await gridOf(path)).toBe('1,26,36');
    expect(await gridOf(path, { maxPixels: 12845056 })).toBe('1,34,46');
    expect(await gridOf(path, { minPixels: 640 * 480 * 2, maxPixels: 12845056 })).toBe('1,50,66');
  });

  test('what a file leaves out is as in transformers', async () => {
    const processor = await loadProcessor(flat({}));
    expect(processor.gridFor(4000, 3000)).toEqual([1, 60, 82]);
  });

  test.each([
    ['patch_size', 0],
    ['patch_size', '14'],
    ['merge_size', 1.5],
    ['patch_size', 513],
    ['merge_size', 2 ** 31],
    ['temporal_patch_size', 65],

    ['temporal_patch_size', -2],
    ['image_mean', [0.5, 0.5]],
    ['image_std', [0.5, 0, 0.5]],
    ['rescale_factor', 'x'],
    ['min_pixels', -1],
    ['do_resize', false],
    ['do_normalize', 1],
    ['resample', 2],
    ['size', 448],
  ])('%s = %j is refused by name', async (key, value) => {
    const path = flat({ ...savedConfig, [key]: value });
    await expect(loadProcessor(path)).rejects.toThrow(
      new RegExp(`preprocessor_config.json: ${key} expected`),
    );
    await expect(loadProcessor(path)).rejects.toMatchObject({ code: 'checkpoint' });
  });

  test('a picture that settings would enlarge beyond what is decoded is refused', async () => {
    const size = { shortest_edge: 178_000_000, longest_edge: 2 ** 40 };
    const processor = await loadProcessor(flat({ ...savedConfig, size, patch_size: 500 }));
    expect(() => processor.gridFor(640, 480)).toThrow(
      /178956970 pixels expected after resizing, got \d+x\d+/,
    );
  });

  test('a least size beyond what is decoded is refused', async () => {
    const size = { shortest_edge: 178_956_971, longest_edge: 2 ** 40 };
    await expect(loadProcessor(flat({ ...savedConfig, size }))).rejects.toThrow(
      /min_pixels expected at most 178956970/,
    );
  });

  test('settings of many megabytes are not read', async () => {
    await expect(loadProcessor(flat(`{"a":"${'x'.repeat(5 * 2 ** 20)}"}`))).rejects.toThrow(
      /at most 4194304 bytes/,
    );
  });

  test('a size without its edges, limits in the wrong order, broken JSON and no file are refused', async () => {
    const refused = (path: string) => expect(loadProcessor(path)).rejects;
    await refused(flat({ size: { shortest_edge: 3136 } })).toThrow(/size\.longest_edge expected/);
    await refused(flat({ min_pixels: 9000, max_pixels: 8000 })).toThrow(/got 9000 and 8000/);
    await refused(flat('{')).toThrow(/is not valid JSON/);
    await refused(flat('[]')).toThrow(/expected a JSON object/);
    await refused(checkpoint({})).toThrow(/expected preprocessor_config\.json/);
  });

  test.each([{ minPixels: 0 }, { maxPixels: 1.5 }, { minPixels: 20_000 }])(
    'override %j is refused',
    async (bad) => {
      await expect(loadProcessor(flat(savedConfig), bad)).rejects.toMatchObject({ code: 'config' });
    },
  );

  test('without rescaling or normalising, values stay as they are', async () => {
    const image = { width: 56, height: 56, data: new Uint8Array(56 * 56 * 3).fill(200) };
    const plain = await loadProcessor(flat({ ...savedConfig, do_rescale: false, do_normalize: false }));
    expect(new Set(plain.patches(image).values)).toEqual(new Set([200]));
  });

  test('pixels that do not fill their size are refused', async () => {
    const processor = await loadProcessor(flat(savedConfig));
    const image = { width: 56, height: 56, data: new Uint8Array(56 * 56 * 4) };
    expect(() => processor.patches(image)).toThrow(/expected 9408 bytes of RGB, got 12544/);
  });
});
