/** What a model is asked, as tokens and pixels, and how much two prompts have in common. */
import { type Encoded, tokenKinds } from '../data/example.ts';
import { LorikeetError } from '../errors.ts';
import type { Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { patchCount } from '../models/qwen2-vl/feeds.ts';
import type { Sample, SampleImage } from '../train/step.ts';

export interface Prompt {
  /** [T] */
  ids: Int32Array;
  images: PlacedImage[];
}

/** A picture and the tokens [start, end) it stands for. */
export interface PlacedImage {
  image: SampleImage;
  start: number;
  end: number;
}

/** A sample that ends where its answer would begin. */
export function promptOf({ encoded, images }: Sample, { imageTokenId, vision }: Qwen2VLConfig): Prompt {
  const { ids } = encoded;
  let end = 0;
  const placed = images.map((image) => {
    const start = ids.indexOf(imageTokenId, end);
    end = start + patchCount(image.grid) / vision.spatialMergeSize ** 2;
    return { image, start, end };
  });
  return { ids, images: placed };
}

/**
 * A conversation up to where its last answer begins: what the model is asked. Answers are tokenised apart from what
 * stands before them, so cutting gives the ids that the prompt alone would have.
 */
export function withoutAnswer(sample: Sample): Sample {
  const { encoded } = sample;
  const answer = tokenKinds.indexOf('answer');
  const last = encoded.kinds.lastIndexOf(answer);
  if (last < 0)
    throw new LorikeetError('data', {
      row: encoded.row,
      what: 'an answer to cut off expected, found none',
      fix: 'Only a conversation that ends with an assistant turn can be asked again.',
    });
  let start = last;
  while (start > 0 && encoded.kinds[start - 1] === answer) start--;
  return { ...sample, encoded: cut(encoded, start) };
}

function cut(encoded: Encoded, end: number): Encoded {
  return { ...encoded, ids: encoded.ids.slice(0, end), kinds: encoded.kinds.slice(0, end) };
}

/** How many tokens two prompts begin with in common, pictures compared by what they hold; none is cut in two. */
export function sharedLength(a: Prompt, b: Prompt): number {
  let length = 0;
  while (length < a.ids.length && length < b.ids.length && a.ids[length] === b.ids[length]) length++;
  for (const [i, image] of a.images.entries()) {
    if (image.start >= length) break;
    if (image.end > length || !isSame(image, b.images[i])) return image.start;
  }
  return length;
}

function isSame(a: PlacedImage, b: PlacedImage): boolean {
  if (a.end !== b.end || a.image.grid.some((side, axis) => side !== b.image.grid[axis])) return false;
  return a.image.content === b.image.content;
}
