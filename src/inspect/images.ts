import type { Encoded } from '../data/example.ts';
import { imageSize } from '../data/image/decode.ts';
import { thumbnail } from '../data/image/render.ts';
import { nameInFolder } from '../data/image/source.ts';
import type { RgbImage } from '../data/processor.ts';
import type { Encoder } from '../train/encoder.ts';
import type { InspectedImage } from './row.ts';

export interface ImageReading {
  /** Where the data's pictures are. */
  folder: string;
  mergeSize: number;
  /** Pixels as the model sees them. */
  decode: Encoder['decode'];
  /** Longer side of a small copy in pixels; none where not given. */
  pictureSide?: number;
}

/** The pictures of a row in its order, with what they became. */
export function readImages(
  { images, grids }: Pick<Encoded, 'images' | 'grids'>,
  { folder, mergeSize, pictureSide, decode }: ImageReading,
): Promise<InspectedImage[]> {
  return Promise.all(
    images.map(async (image, i): Promise<InspectedImage> => {
      const { width, height } = await imageSize(image);
      const [frames, ...sides] = grids[i];
      const grid = sides.map((side) => side / mergeSize) as [number, number];
      return {
        file: nameInFolder(image, folder),
        width,
        height,
        grid,
        tokens: frames * grid[0] * grid[1],
        ...(pictureSide && { picture: await jpegOf(await decode(image), pictureSide) }),
      };
    }),
  );
}

async function jpegOf(image: RgbImage, side: number): Promise<string> {
  return Buffer.from(await thumbnail(image, side)).toString('base64');
}
