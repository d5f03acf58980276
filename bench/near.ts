/**
 * What the bounds of near-duplicates rest on (src/check/near.ts): pictures saved anew should be found, different ones not. The
 * demo's scenes, and the pictures of VQA-RAD and easy-VQA where `../shared/data` is there.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { SIDE } from '../demo/facts.ts';
import { drawScene } from '../demo/scenes.ts';
import { difference, distance, type Look, lookOf } from '../src/check/look.ts';
import { mostBits, mostLevels } from '../src/check/near.ts';
import { decodeImage } from '../src/data/image/decode.ts';
import type { RgbImage } from '../src/data/processor.ts';
import type { Bench } from './bench.ts';

const shared = fileURLToPath(new URL('../../shared/data/', import.meta.url));

export interface NearResult {
  name: string;
  pictures: number;
  /** The most that any picture differs from itself saved anew, and how many would not be found. */
  changes: Record<string, { bits: number; levels: number; missed: number }>;
  /** Of two different pictures with near enough bits, how many there are, and the least they differ. */
  pairs: { nearBits: number; found: number; leastLevels: number };
}

const raw = ({ width, height }: RgbImage) => ({ raw: { width, height, channels: 3 as const } });
const pixels = async (picture: Sharp): Promise<RgbImage> => {
  const { data, info } = await sharp(await picture.toBuffer())
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
};
const levels = (image: RgbImage, change: (level: number) => number) => ({
  ...image,
  data: image.data.map((level) => Math.min(255, Math.round(change(level)))),
});

const changes: Record<string, (image: RgbImage) => Promise<RgbImage> | RgbImage> = {
  'JPEG 60': (image) => pixels(sharp(image.data, raw(image)).jpeg({ quality: 60 })),
  'half size': (image) => {
    const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side / 2)));
    return pixels(sharp(image.data, raw(image)).resize(width, height, { fit: 'fill' }).png());
  },
  'times 1.05': (image) => levels(image, (level) => level * 1.05),
  'plus 13': (image) => levels(image, (level) => level + 13),
};

async function measure(name: string, pictures: (() => Promise<RgbImage>)[]): Promise<NearResult> {
  const looks: Look[] = [];
  const result: NearResult = {
    name,
    pictures: pictures.length,
    changes: {},
    pairs: { nearBits: 0, found: 0, leastLevels: Number.POSITIVE_INFINITY },
  };
  for (const picture of pictures) {
    const image = await picture();
    const look = lookOf(image);
    looks.push(look);
    for (const [change, apply] of Object.entries(changes)) {
      const other = lookOf(await apply(image));
      const [bits, apart] = [distance(look.bits, other.bits), difference(look.copy, other.copy)];
      result.changes[change] ??= { bits: 0, levels: 0, missed: 0 };
      const most = result.changes[change];
      most.bits = Math.max(most.bits, bits);
      most.levels = Math.max(most.levels, apart);
      if (bits > mostBits || apart > mostLevels) most.missed++;
    }
  }
  countPairs(looks, result.pairs);
  return result;
}

function countPairs(looks: Look[], pairs: NearResult['pairs']): void {
  looks.forEach((look, i) => {
    for (const other of looks.slice(i + 1)) {
      if (distance(look.bits, other.bits) > mostBits) continue;
      pairs.nearBits++;
      const apart = difference(look.copy, other.copy);
      if (apart <= mostLevels) pairs.found++;
      pairs.leastLevels = Math.min(pairs.leastLevels, apart);
    }
  });
}

const filesOf = (folder: string) =>
  readdirSync(join(shared, folder)).map((file) => () => decodeImage({ path: join(shared, folder, file) }));

export const near: Bench<NearResult[]> = {
  run: benchNear,
  tell: (results) => [
    'Near-duplicates: bits and levels that pictures saved anew differ by at most, and how many are missed',
    ...results.flatMap(({ name, pictures, changes, pairs }) => [
      `  ${name}, ${pictures} pictures`,
      ...Object.entries(changes).map(
        ([change, { bits, levels, missed }]) =>
          `    ${change.padEnd(12)} ${String(bits).padStart(2)} bits  ${levels.toFixed(2)} levels  ${missed} missed`,
      ),
      `    pairs with near bits ${pairs.nearBits}, taken for the same ${pairs.found}, least ${pairs.leastLevels.toFixed(2)} levels`,
    ]),
  ],
};

async function benchNear(): Promise<NearResult[]> {
  const scenes = Array.from({ length: 600 }, (_, n) => async () => {
    return { width: SIDE, height: SIDE, data: drawScene(5, n).image };
  });
  const results = [await measure('demo scenes', scenes)];
  if (existsSync(shared)) {
    results.push(await measure('VQA-RAD', filesOf('vqa-rad/images')));
    const easy = [...filesOf('easy-vqa/train/images'), ...filesOf('easy-vqa/test/images')];
    results.push(await measure('easy-VQA', easy));
  }
  return results;
}
