import type { Grid, ImageReference } from '../data/example.ts';
import { contentOf } from '../data/image/content.ts';
import { keyOf } from '../data/image/source.ts';
import type { RgbImage } from '../data/processor.ts';
import type { Encoder } from '../train/encoder.ts';
import { type Look, lookOf } from './look.ts';

/** What is kept of a picture. The same content is the same object, whatever its files are called. */
export interface Picture {
  /** SHA-256 of its size and decoded pixels, base64. */
  content: string;
  width: number;
  height: number;
  grid: Grid;
  /** Image tokens that it becomes. */
  tokens: number;
  look: Look;
  isSaturated: boolean;
  isSixteenBitGrey: boolean;
}

export type LookAt = (image: ImageReference) => Promise<Picture>;

/** Pixels of this many pictures stand in memory at once. */
const decodedAtOnce = 4;

/** Above this share of pixels at the top of the range, hardly anything can be seen in a picture. */
const saturatedShare = 0.9;

/** Looks at every picture once, decoded as training decodes it. Throws its `image` error each time it is asked for. */
export function createLookAt({ decode, processor }: Pick<Encoder, 'decode' | 'processor'>): LookAt {
  const known = new Map<string, Promise<Picture>>();
  const byContent = new Map<string, Picture>();
  const limited = atOnce(decodedAtOnce);
  const look = async (reference: ImageReference): Promise<Picture> => {
    const image = await decode(reference);
    const content = contentOf(image);
    const same = byContent.get(content);
    if (same) return same;
    const grid = processor.gridFor(image.width, image.height);
    const picture = {
      content,
      width: image.width,
      height: image.height,
      grid,
      tokens: processor.tokenCount(grid),
      look: lookOf(image),
      isSaturated: topShare(image) > saturatedShare,
      isSixteenBitGrey: image.isSixteenBitGrey,
    };
    byContent.set(content, picture);
    return picture;
  };
  return (reference) => {
    const key = keyOf(reference);
    const picture = known.get(key) ?? limited(() => look(reference));
    known.set(key, picture);
    return picture;
  };
}

/** Of all pixels, those whose three channels are 255. */
export function topShare({ data }: RgbImage): number {
  let top = 0;
  for (let at = 0; at < data.length; at += 3) {
    if ((data[at] & data[at + 1] & data[at + 2]) === 255) top++;
  }
  return (top * 3) / data.length;
}

/** Runs what it is handed in order, so many at a time. */
function atOnce(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
