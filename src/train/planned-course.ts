import type { Survey } from '../check/survey.ts';
import type { Config } from '../config/schema.ts';
import { stepsOfEpoch } from '../data/sampler.ts';
import { shuffle, stream } from '../random.ts';
import { type CourseStep, course, type RowSize } from './course.ts';

/** The steps of a config over these rows, walked anew at every call. */
export function courseOf(
  { train, pack }: Pick<Config, 'train' | 'pack'>,
  sizes: readonly RowSize[],
): () => Iterable<CourseStep> {
  const { seed, shuffle, gradientAccumulation: accumulation } = train;
  const indices = [...sizes.keys()];
  // Rows without a picture share their system text too, but are shuffled one by one.
  const groups = pack.order === 'groups' && {
    of: (row: number) => sizes[row].group,
    mostRows: pack.maxBranches,
  };
  const options = { seed, shuffle, accumulation, ...(groups && { groups }) };
  return () =>
    course(sizes, {
      ...train,
      maxTokens: pack.maxTokens,
      stepsOfEpoch: (epoch) => stepsOfEpoch(indices, { ...options, epoch }),
    });
}

/** The same rows in every run with this seed, in the order of the file. */
export function drawRows(
  { sizes }: Pick<Survey, 'sizes'>,
  count: number,
  seed: number,
  purpose: string,
): number[] {
  const drawn = shuffle([...sizes.keys()], stream(seed, purpose)).slice(0, count);
  return drawn.sort((a, b) => a - b);
}
