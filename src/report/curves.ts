/** What can be read off a run's curves, before anybody calls it good or bad. */
import type { KnownConfig } from './readable-config.ts';
import type { EvaluationPoint, RunStory, StepPoint } from './run-story.ts';
import { type Estimate, mean, noiseOf } from './statistics.ts';

/** The settings as far as they are known; of other tools none. */
export function configOf({ record }: RunStory): KnownConfig {
  return record?.config?.resolved ?? {};
}

/** The highest rate that was set or logged. */
export function peakRate(story: RunStory): number | undefined {
  const set = configOf(story).train?.learningRate;
  if (set !== undefined) return set;
  const logged = story.steps.flatMap(({ learningRate }) =>
    learningRate === undefined ? [] : [learningRate],
  );
  return logged.length > 0 ? logged.reduce((most, rate) => Math.max(most, rate)) : undefined;
}

/** Steps behind the warm-up, during which nothing is expected to hold. */
export function warmSteps(story: RunStory): StepPoint[] {
  const { warmupSteps = 0, warmupRatio } = configOf(story).train ?? {};
  const total = story.record?.totalSteps ?? story.steps.at(-1)?.step ?? 0;
  const warm = warmupRatio === undefined ? warmupSteps : Math.ceil(total * warmupRatio);
  return story.steps.filter(({ step }) => step > warm);
}

/** Steps that are needed before four parts of a curve can be told apart. */
const leastSteps = 40;

/** The curve in four parts of as many steps each, their mean losses; nothing of a short one. */
export function quarters(steps: readonly StepPoint[]): (Estimate & { steps: StepPoint[] })[] | undefined {
  if (steps.length < leastSteps) return undefined;
  return [0, 1, 2, 3].map((q) => {
    const part = steps.slice(Math.floor((q * steps.length) / 4), Math.floor(((q + 1) * steps.length) / 4));
    return { ...mean(part.map(({ loss }) => loss)), steps: part };
  });
}

/** Where validation was best, and what it did since. */
export interface Rise {
  best: EvaluationPoint;
  last: EvaluationPoint;
  /** Mean of the last three less that of the best and its neighbours. */
  rise: number;
  /** Of one evaluation. */
  noise: number;
  /** The evaluations of either mean. */
  atBest: EvaluationPoint[];
  atEnd: EvaluationPoint[];
}

const leastEvaluations = 6;
/** Standard errors that a rise must have, because the best was looked for among all. */
const clearRise = 5;
/** Of the best loss; below it nobody would choose another adapter. */
const worthARise = 0.03;

/** The validation loss's rise since its best; nothing where the noise of the curve could have made it. */
export function riseOf(evaluations: readonly EvaluationPoint[]): Rise | undefined {
  if (evaluations.length < leastEvaluations) return undefined;
  const losses = evaluations.map(({ loss }) => loss);
  const b = losses.indexOf(losses.reduce((least, loss) => Math.min(least, loss)));
  if (b > evaluations.length - 4) return undefined;
  const atBest = evaluations.slice(Math.max(0, b - 1), b + 2);
  const atEnd = evaluations.slice(-3);
  const meanLoss = (points: EvaluationPoint[]) => mean(points.map(({ loss }) => loss)).value;
  const rise = meanLoss(atEnd) - meanLoss(atBest);
  const noise = noiseOf(losses);
  const isClear = rise > clearRise * noise * Math.sqrt(1 / atBest.length + 1 / atEnd.length);
  if (!isClear || rise < worthARise * losses[b]) return undefined;
  return { best: evaluations[b], last: evaluations.at(-1)!, rise, noise, atBest, atEnd };
}
