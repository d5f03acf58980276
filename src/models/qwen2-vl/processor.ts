import { resizeBicubic } from '../../data/image/resample.ts';
import type { ImagePatches, Processor, RgbImage } from '../../data/processor.ts';
import { LorikeetError } from '../../errors.ts';
import { patchify } from './processor/patchify.ts';
import { type PixelLimits, type ProcessorSettings, readSettings } from './processor/settings.ts';
import { smartResize } from './processor/smart-resize.ts';

export type { PixelLimits, ProcessorSettings };

/**
 * The picture side of a checkpoint, read from its `processor_config.json` or `preprocessor_config.json`;
 * `overrides` take the place of its pixel limits. Throws a `checkpoint` error for a file that is missing or wrong.
 */
export async function loadProcessor(modelDir: string, overrides: PixelLimits = {}): Promise<Processor> {
  return createProcessor(await readSettings(modelDir, overrides));
}

/** Pixel values equal, bit for bit, to those of transformers' `Qwen2VLImageProcessorPil`. */
export function createProcessor(settings: ProcessorSettings): Processor {
  const { minPixels, maxPixels, ...patching } = settings; // the limits decide the grid, and nothing beside it
  const { patchSize, mergeSize } = settings;
  const resized = (width: number, height: number) =>
    smartResize(width, height, { ...settings, factor: patchSize * mergeSize });
  return {
    identity: JSON.stringify(patching),
    gridFor(width, height) {
      const size = resized(width, height);
      return [1, size.height / patchSize, size.width / patchSize];
    },
    tokenCount: ([frames, rows, columns]) => (frames * rows * columns) / mergeSize ** 2,
    patches(image): ImagePatches {
      checkPixels(image);
      const { width, height } = resized(image.width, image.height);
      return patchify(resizeBicubic(image, width, height), settings);
    },
  };
}

function checkPixels({ width, height, data }: RgbImage): void {
  if (data.length === width * height * 3) return;
  throw new LorikeetError('image', {
    what: `a ${width}x${height} picture expected ${width * height * 3} bytes of RGB, got ${data.length}`,
    fix: 'Pass 8-bit RGB pixels, three bytes each, without padding or alpha.',
  });
}
