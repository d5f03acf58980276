/** What pictures cost a run, apart from what its tokens cost: later epochs do not pay it again. */
import type { CacheFacts } from '../cache/matrix-cache.ts';
import type { Grid } from '../data/example.ts';
import { patchCount } from '../models/qwen2-vl/feeds.ts';
import type { VisionCache } from './vision-cache.ts';

export interface VisionAccount {
  readonly facts: CacheFacts;
  /** In the tower so far; 0 where pictures are computed again and again, which is then part of what a token costs. */
  readonly seconds: number;
  /** Timing: in the tower until every picture is known. */
  secondsLeft(): number;
}

/** @param grids of the pictures that the run will see, by what they hold. */
export function visionAccount(
  { embedder, room }: VisionCache,
  grids: ReadonlyMap<string, Grid>,
): VisionAccount {
  const patchesOf = (all: Iterable<Grid>) => [...all].reduce((sum, grid) => sum + patchCount(grid), 0);
  const isOnce = embedder.bytesOf(patchesOf(grids.values())) <= room;
  const unknown = [...grids].filter(([content, grid]) => !embedder.knows({ content, grid }));
  const ahead = patchesOf(unknown.map(([, grid]) => grid));
  return {
    get facts() {
      return embedder.facts;
    },
    get seconds() {
      return isOnce ? embedder.seconds : 0;
    },
    secondsLeft() {
      const { seconds, patches } = embedder;
      return isOnce && patches > 0 ? (seconds / patches) * Math.max(0, ahead - patches) : 0;
    },
  };
}
