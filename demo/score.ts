/** The demo's short view of its answers; `lorikeet evaluate` tells more. Scores are those of src/metrics. */
import { type Answered, blindGuesser } from '../src/metrics/floor.ts';
import { exactMatch } from '../src/metrics/match.ts';
import { wrongPictures } from '../src/metrics/wrong-pictures.ts';

/** Share of answers that match, 0 to 1; 0 of nothing is 0. */
export function accuracy(answers: readonly string[], expected: readonly string[]): number {
  const hits = expected.filter((text, i) => exactMatch(answers[i] ?? '', text)).length;
  return expected.length > 0 ? hits / expected.length : 0;
}

/** Share of `rows` that the blind guesser gets right, 0 to 1. */
export function floor(training: readonly Answered[], rows: readonly Answered[]): number {
  const guess = blindGuesser(training);
  return accuracy(
    rows.map((row) => guess(row).answer),
    rows.map((row) => row.answer),
  );
}

/**
 * Gives each row the index of a row whose picture it gets instead, always one of another group (scene), each scene's
 * picture to one other. Throws RangeError where there is only one group.
 */
export function shufflePictures(groups: readonly string[], seed: number): number[] {
  const scenes = [...new Set(groups)];
  const given = wrongPictures(scenes, seed);
  return groups.map((group) => groups.indexOf(scenes[given[scenes.indexOf(group)]]));
}
