import type { Config } from '../config/schema.ts';
import { stepsOfEpoch } from '../data/sampler.ts';
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
    of: (row: number) => (sizes[row].pictures?.length ? sizes[row].prefix?.group : undefined),
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
