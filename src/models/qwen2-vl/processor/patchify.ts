import type { ImagePatches, RgbImage } from '../../../data/processor.ts';
import type { ProcessorSettings } from './settings.ts';

/**
 * Normalises and cuts into patches: [P, 3 * temporalPatchSize * patchSize^2]. Patches come merge block by merge
 * block, so that the ones that become a token stand together; in a patch the order is channel, frame, row,
 * column. A picture is one frame, repeated. Sides must be multiples of patchSize * mergeSize.
 */
export function patchify(image: RgbImage, settings: ProcessorSettings): ImagePatches {
  const { patchSize, mergeSize } = settings;
  const rows = image.height / patchSize;
  const columns = image.width / patchSize;
  const length = 3 * settings.temporalPatchSize * patchSize ** 2;
  const values = new Float32Array(rows * columns * length);
  const levels = [0, 1, 2].map((channel) => normalisedLevels(settings, channel));
  let at = 0;
  for (let blockRow = 0; blockRow < rows; blockRow += mergeSize) {
    for (let blockColumn = 0; blockColumn < columns; blockColumn += mergeSize) {
      for (let row = blockRow; row < blockRow + mergeSize; row++) {
        for (let column = blockColumn; column < blockColumn + mergeSize; column++) {
          writePatch(image, row * patchSize, column * patchSize, levels, settings, values, at);
          at += length;
        }
      }
    }
  }
  return { grid: [1, rows, columns], values };
}

function writePatch(
  image: RgbImage,
  top: number,
  left: number,
  levels: Float32Array[],
  { patchSize, temporalPatchSize }: ProcessorSettings,
  out: Float32Array,
  start: number,
): void {
  const area = patchSize ** 2;
  let at = start;
  for (let channel = 0; channel < 3; channel++) {
    const level = levels[channel];
    const first = at;
    for (let y = top; y < top + patchSize; y++) {
      let from = (y * image.width + left) * 3 + channel;
      for (let x = 0; x < patchSize; x++, from += 3) out[at++] = level[image.data[from]];
    }
    for (let frame = 1; frame < temporalPatchSize; frame++, at += area) {
      out.copyWithin(at, first, first + area);
    }
  }
}

/** All 256 results of one channel, rounded to f32 where NumPy rounds: after rescaling, subtraction and division. */
function normalisedLevels({ rescaleFactor, mean, std }: ProcessorSettings, channel: number): Float32Array {
  const m = Math.fround(mean[channel]);
  const s = Math.fround(std[channel]);
  return Float32Array.from({ length: 256 }, (_, v) =>
    Math.fround(Math.fround(Math.fround(v * rescaleFactor) - m) / s),
  );
}
