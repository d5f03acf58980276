import { crc32 } from '@node-rs/crc32';
import { decodeImage, imageSize } from '../../../src/data/image/decode.ts';
import { createProcessor } from '../../../src/models/qwen2-vl/processor.ts';
import { binaryMutations } from '../mutations.ts';
import { holds, type Target } from '../target.ts';
import { fixturesOf } from './files.ts';

const processor = createProcessor({
  minPixels: 784,
  maxPixels: 3136,
  patchSize: 14,
  temporalPatchSize: 2,
  mergeSize: 2,
  rescaleFactor: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
});

/** From the file to the patches that the model is fed. */
const picturesOf = (name: string, end: RegExp, mend?: Target['mend']): Target => ({
  name,
  mend,
  mutations: binaryMutations,
  open: async () => ({
    bases: fixturesOf('images', end).filter((file) => !isNarrow(file)),
    read: async (bytes) => {
      const reference = { held: name, bytes };
      const size = await imageSize(reference);
      const image = await decodeImage(reference);
      const { width, height, data } = image;
      holds('the size of the header', width === size.width && height === size.height);
      holds('three bytes a pixel', data.length === width * height * 3);
      const { grid, values } = processor.patches(image);
      holds('the patches of the grid', values.length === grid[0] * grid[1] * grid[2] * 3 * 2 * 14 * 14);
      holds('finite values', values.every(Number.isFinite));
    },
  }),
});

/** The CRC of every chunk, as far as chunks follow each other. */
function withRightSums(png: Buffer): Buffer {
  const file = Buffer.from(png);
  for (let at = 8; at + 12 <= file.length; ) {
    const end = at + 8 + file.readUInt32BE(at);
    if (end + 4 > file.length) break;
    file.writeUInt32BE(crc32(file.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return file;
}

/** Those that the processor refuses for their shape. */
const isNarrow = (file: Buffer) => file.readUInt32BE(0) === 0x89504e47 && ratio(file) > 200;
const ratio = (png: Buffer) => {
  const [a, b] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  return Math.max(a, b) / Math.min(a, b);
};

export const pictureTargets: Target[] = [
  picturesOf('PNG files', /\.png$/, withRightSums),
  picturesOf('JPEG files', /\.jpg$/),
  picturesOf('GIF files', /\.gif$/),
  picturesOf('TIFF files', /\.tif$/),
  picturesOf('WebP files', /\.webp$/),
];
