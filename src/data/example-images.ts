import type { Example, ImageName, ImageReference } from './example.ts';
import { keyOf, nameOf } from './image/source.ts';
import { withPlace } from './place.ts';

/** In the conversation's order. */
export function imagesOf({ turns }: Pick<Example, 'turns'>): ImageReference[] {
  const parts = turns.flatMap(({ content }) => content);
  return parts.flatMap((part) => (part.type === 'image' ? [part.image] : []));
}

/** Reads each picture of a row, in the same order; errors name the row, and the picture where they do not yet. */
export function eachImage<T>(
  example: Example,
  read: (image: ImageReference, index: number) => Promise<T>,
): Promise<T[]> {
  const { row } = example;
  return Promise.all(
    imagesOf(example).map(async (image, index) => {
      try {
        return await read(image, index);
      } catch (error) {
        throw withPlace(error, { row, ...('dataUrl' in image ? {} : { file: nameOf(image) }) });
      }
    }),
  );
}

/** The same for the same pictures in the same order. */
export function picturesKey(images: readonly ImageName[]): string {
  return images.map(keyOf).join('\n');
}
