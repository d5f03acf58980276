import type { RgbImage } from '../processor.ts';

/** Whether an orientation (TIFF 6.0, tag 274: 1..8) swaps width and height. */
export function isTurned(orientation: number): boolean {
  return orientation >= 5 && orientation <= 8;
}

/** The picture as its orientation tag means it to be seen. */
export function turnUpright(image: RgbImage, orientation: number): RgbImage {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const turned = isTurned(orientation);
  const width = turned ? image.height : image.width;
  const height = turned ? image.width : image.height;
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = turned ? y : x;
      const row = turned ? x : y;
      const fromX = mirrorX ? image.width - 1 - column : column;
      const fromY = mirrorY ? image.height - 1 - row : row;
      const from = (fromY * image.width + fromX) * 3;
      data.set(image.data.subarray(from, from + 3), (y * width + x) * 3);
    }
  }
  return { width, height, data };
}
