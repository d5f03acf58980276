import { dataFindings } from './findings/data.ts';
import { numberFindings } from './findings/numbers.ts';
import { overfittingFindings } from './findings/overfitting.ts';
import { progressFindings } from './findings/progress.ts';
import { rateFindings } from './findings/rate.ts';
import type { RunStory } from './run-story.ts';

/** Something that the run's own numbers say, strong enough to act on. */
export interface Finding {
  /** Its name in docs/report.md: `overfitting`, `shared-pictures` ... */
  kind: string;
  title: string;
  /** The numbers that it rests on. */
  evidence: string;
  /** What to change, in words of the config. */
  suggestion: string;
}

/** What the run's numbers say, the weightiest first; empty where they are too few to say anything. */
export function findingsOf(story: RunStory): Finding[] {
  return [
    ...progressFindings(story),
    ...numberFindings(story),
    ...rateFindings(story),
    ...overfittingFindings(story),
    ...dataFindings(story),
  ];
}
