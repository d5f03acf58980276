import type { Example } from '../data/example.ts';
import type { Encoder } from './encoder.ts';
import type { Sample, SampleImage } from './step.ts';

/** What is known of pictures without looking at them, by their places in a conversation. */
export type KnownImages = readonly (Pick<SampleImage, 'content' | 'grid'> | undefined)[];

/** A row whose pictures are decoded only where they are not known already. */
export function loadUnknown(
  encoder: Pick<Encoder, 'load' | 'picture'>,
  example: Example,
  known: KnownImages = [],
): Promise<Sample> {
  return encoder.load(example, async (image, place) => {
    const found = known[place];
    return found ? { ...found } : encoder.picture(image);
  });
}
