/** Questions about one picture as the trainer's step takes them; how long each part is stands in `lengths`. */
import { createHash } from 'node:crypto';
import { type Grid, type TokenKind, tokenKinds } from '../src/data/example.ts';
import { stream } from '../src/random.ts';
import type { Sample, SampleImage } from '../src/train/step.ts';

/** A picture of 504 x 504 pixels; text around it; a question and its answer with the end token. */
export const lengths = { before: 8, imageTokens: 324, after: 8, question: 14, answer: 5 };
export const grid: Grid = [1, 36, 36];
const patchLength = 3 * 2 * 14 * 14;

const special = { visionStart: 151652, visionEnd: 151653, image: 151655 };

export const prefixTokens = lengths.before + lengths.imageTokens + lengths.after;
export const branchTokens = lengths.question + lengths.answer;

/** `picture` names it: another number is another picture and other questions. */
export function pictureSamples(picture: number, questions: number): Sample[] {
  const image = randomImage(picture);
  return Array.from({ length: questions }, (_, q) => sample(picture, q, image));
}

function randomImage(picture: number): SampleImage {
  const draws = stream('bench picture', picture);
  const patches = Float32Array.from(
    { length: grid[1] * grid[2] * patchLength },
    () => 2 * draws.uniform() - 1,
  );
  return { grid, content: createHash('sha256').update(`${picture}`).digest('base64'), patches };
}

function sample(picture: number, question: number, image: SampleImage): Sample {
  const shared = stream('bench prefix', picture);
  const own = stream('bench branch', picture, question);
  const word = (draws: typeof own) => 1000 + draws.integer(100_000);
  const { before, imageTokens, after, answer } = lengths;
  const prefix = [
    ...Array.from({ length: before - 1 }, () => word(shared)),
    special.visionStart,
    ...new Array<number>(imageTokens).fill(special.image),
    special.visionEnd,
    ...Array.from({ length: after - 1 }, () => word(shared)),
  ];
  const branch = Array.from({ length: branchTokens }, () => word(own));
  const kind = (t: number): TokenKind => (t >= prefixTokens + branchTokens - answer ? 'answer' : 'user');
  const ids = Int32Array.from([...prefix, ...branch]);
  const kinds = Uint8Array.from(ids, (_, t) => tokenKinds.indexOf(kind(t)));
  return {
    encoded: { row: 1000 * picture + question, ids, kinds, grids: [grid], images: [] },
    images: [image],
    prefix: { group: picture, tokens: prefixTokens },
  };
}
