import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { maxImagePixels } from '../../../data/image/decode.ts';
import { LorikeetError } from '../../../errors.ts';
import { readJsonObject } from '../../../formats/json.ts';

/** Limits on the pixels of the resized picture. */
export interface PixelLimits {
  minPixels?: number;
  maxPixels?: number;
}

export interface ProcessorSettings extends Required<PixelLimits> {
  /** Pixels on a side of a patch. */
  patchSize: number;
  /** Frames in a patch; a picture is repeated to fill them. */
  temporalPatchSize: number;
  /** Patches on a side of the square that becomes one token. */
  mergeSize: number;
  rescaleFactor: number;
  /** Per channel, of values rescaled to 0..1. */
  mean: readonly number[];
  std: readonly number[];
}

/** What `Qwen2VLImageProcessorPil` uses for what a file leaves out. */
const defaults: ProcessorSettings = {
  minPixels: 56 * 56,
  maxPixels: 28 * 28 * 1280,
  patchSize: 14,
  temporalPatchSize: 2,
  mergeSize: 2,
  rescaleFactor: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

const bicubic = 3;

const maxBytes = 4 * 2 ** 20;
/** Far above any model's; what is cut and repeated by them still fits into memory. */
const most = { patchSize: 512, temporalPatchSize: 64, mergeSize: 64 };

type Json = Record<string, unknown>;

/** Reads and checks the settings of a checkpoint folder, in the hub's form or in that of transformers 5. */
export async function readSettings(modelDir: string, overrides: PixelLimits): Promise<ProcessorSettings> {
  const { json, file } = await findConfig(modelDir);
  const settings = new Reader(json, file).settings();
  return applyOverrides(settings, overrides, file);
}

/** transformers 5 nests the settings in processor_config.json, and looks there first; so does this. */
async function findConfig(modelDir: string): Promise<{ json: Json; file: string }> {
  const nestedFile = join(modelDir, 'processor_config.json');
  const nested = (await readJson(nestedFile))?.image_processor;
  if (isObject(nested)) return { json: nested, file: nestedFile };
  const file = join(modelDir, 'preprocessor_config.json');
  const json = await readJson(file);
  if (json) return { json, file };
  throw new LorikeetError('checkpoint', {
    what: 'expected preprocessor_config.json (or processor_config.json with image_processor), got neither',
    fix: 'Copy the file from the repository the model came from; pictures cannot be prepared without it.',
    file: modelDir,
  });
}

async function readJson(file: string): Promise<Json | undefined> {
  return existsSync(file) ? readJsonObject(file, 'checkpoint', maxBytes) : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? 'nothing';
}

function wrong(file: string, what: string, cause?: unknown): LorikeetError {
  const fix = 'Copy the file again from the repository the model came from, or correct it.';
  return new LorikeetError('checkpoint', { what, fix, file, cause });
}

/** Reads one settings object; every wrong value names its key. */
class Reader {
  private readonly json: Json;
  private readonly file: string;

  constructor(json: Json, file: string) {
    this.json = json;
    this.file = file;
  }

  settings(): ProcessorSettings {
    this.only('do_resize', true, 'pictures that are not resized do not fit the patch grid');
    this.only('resample', bicubic, 'only bicubic (3) is there');
    const rescales = this.flag('do_rescale');
    const normalizes = this.flag('do_normalize');
    return {
      ...this.pixelLimits(),
      patchSize: this.count('patch_size', defaults.patchSize, most.patchSize),
      temporalPatchSize: this.count(
        'temporal_patch_size',
        defaults.temporalPatchSize,
        most.temporalPatchSize,
      ),
      mergeSize: this.count('merge_size', defaults.mergeSize, most.mergeSize),
      // 1, mean 0 and std 1 leave values as they are, which is what leaving the step out does.
      rescaleFactor: rescales ? this.positive('rescale_factor', defaults.rescaleFactor) : 1,
      mean: normalizes ? this.perChannel('image_mean', defaults.mean) : [0, 0, 0],
      std: normalizes ? this.perChannel('image_std', defaults.std, true) : [1, 1, 1],
    };
  }

  /** Flat `min_pixels` and `max_pixels` win over `size`, as in transformers. */
  private pixelLimits(): Required<PixelLimits> {
    const size = this.json.size ?? { shortest_edge: defaults.minPixels, longest_edge: defaults.maxPixels };
    if (!isObject(size)) throw this.bad('size', 'an object', size);
    const limit = (flat: string, nested: string) => {
      const value = this.json[flat] ?? size[nested];
      return isCount(value) ? value : this.fail(this.json[flat] == null ? `size.${nested}` : flat, value);
    };
    const minPixels = limit('min_pixels', 'shortest_edge');
    const maxPixels = limit('max_pixels', 'longest_edge');
    if (minPixels > maxPixels) throw wrong(this.file, unordered(minPixels, maxPixels));
    if (minPixels > maxImagePixels) throw this.bad('min_pixels', `at most ${maxImagePixels}`, minPixels);
    return { minPixels, maxPixels };
  }

  private fail(key: string, value: unknown): never {
    throw this.bad(key, 'a whole number above 0', value);
  }

  private bad(key: string, expected: string, value: unknown): LorikeetError {
    return wrong(this.file, `${key} expected ${expected}, got ${shown(value)}`);
  }

  private count(key: string, otherwise: number, largest: number): number {
    const value = this.json[key] ?? otherwise;
    if (isCount(value) && value <= largest) return value;
    throw this.bad(key, `a whole number from 1 to ${largest}`, value);
  }

  private positive(key: string, otherwise: number): number {
    const value = this.json[key] ?? otherwise;
    if (isReal(value) && value > 0) return value;
    throw this.bad(key, 'a number above 0', value);
  }

  private flag(key: string): boolean {
    const value = this.json[key] ?? true;
    if (typeof value === 'boolean') return value;
    throw this.bad(key, 'true or false', value);
  }

  private only(key: string, expected: unknown, why: string): void {
    const value = this.json[key] ?? expected;
    if (value !== expected) throw this.bad(key, `${expected} (${why})`, value);
  }

  private perChannel(key: string, otherwise: readonly number[], isDivisor = false): readonly number[] {
    const value = this.json[key] ?? otherwise;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value, value, value];
    const isRight = (n: unknown): n is number => isReal(n) && (!isDivisor || n > 0);
    if (list.length === 3 && list.every(isRight)) return list;
    throw this.bad(key, `three numbers${isDivisor ? ' above 0' : ''}`, value);
  }
}

function isReal(value: unknown): value is number {
  return Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function unordered(minPixels: number, maxPixels: number): string {
  return `expected minPixels at most maxPixels, got ${minPixels} and ${maxPixels}`;
}

function applyOverrides(
  settings: ProcessorSettings,
  overrides: PixelLimits,
  file: string,
): ProcessorSettings {
  for (const key of ['minPixels', 'maxPixels'] as const) {
    const value = overrides[key];
    if (value === undefined || isCount(value)) continue;
    throw new LorikeetError('config', {
      what: `image.${key} expected a whole number above 0, got ${value}`,
      fix: 'Give a number of pixels, such as 200704 for 448 x 448.',
    });
  }
  const minPixels = overrides.minPixels ?? settings.minPixels;
  const maxPixels = overrides.maxPixels ?? settings.maxPixels;
  if (minPixels > maxPixels) {
    throw new LorikeetError('config', {
      what: `image: ${unordered(minPixels, maxPixels)}`,
      fix: `Set both minPixels and maxPixels; what is not set comes from ${file}.`,
    });
  }
  return { ...settings, minPixels, maxPixels };
}
