/** Which pictures go to whom in the image test. */
import { wrongPictures } from '../metrics/wrong-pictures.ts';
import type { PictureSet } from './questions.ts';

/**
 * To each set of pictures the sets whose questions are also asked about it. Sets exchange with sets of as many pictures;
 * one that is alone with its number exchanges with none.
 */
export function exchangePictures(sets: readonly PictureSet[], seed: number): Map<PictureSet, PictureSet> {
  const bySize = new Map<number, PictureSet[]>();
  for (const set of sets) {
    const size = set.images.length;
    if (size > 0) bySize.set(size, [...(bySize.get(size) ?? []), set]);
  }
  const guests = new Map<PictureSet, PictureSet>();
  for (const alike of bySize.values()) {
    if (alike.length < 2) continue;
    const groups = alike.map(({ rows }, i) => rows[0].example.group ?? `set ${i}`);
    wrongPictures(groups, seed).forEach((other, own) => {
      guests.set(alike[other], alike[own]);
    });
  }
  return guests;
}
