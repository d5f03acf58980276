import { expect, it } from 'vitest';
import type { Grid } from '../../src/data/example.ts';
import type { ImageEmbedder } from '../../src/train/image-embedder.ts';
import { createPace } from '../../src/train/pace.ts';
import { visionAccount } from '../../src/train/vision-account.ts';

/** Two pictures of 16 patches and one of 8, which is known; 4 bytes a patch. */
const grids = new Map<string, Grid>([
  ['a', [1, 4, 4]],
  ['b', [1, 4, 4]],
  ['known', [1, 2, 4]],
]);

function account(room: number) {
  const tower = { seconds: 0, patches: 0, facts: {} };
  const embedder = {
    ...tower,
    bytesOf: (patches: number) => 4 * patches,
    knows: ({ content }: { content: string }) => content === 'known',
  };
  return {
    embedder,
    vision: visionAccount({ embedder: embedder as unknown as ImageEmbedder, beside: 0, room }, grids),
  };
}

it('counts what pictures still cost once, by what they cost so far', () => {
  const { embedder, vision } = account(160);
  expect([vision.seconds, vision.secondsLeft()]).toEqual([0, 0]);
  Object.assign(embedder, { seconds: 3, patches: 16 });
  expect([vision.seconds, vision.secondsLeft()]).toEqual([3, 3]);
  Object.assign(embedder, { seconds: 6, patches: 32 });
  expect([vision.seconds, vision.secondsLeft()]).toEqual([6, 0]);
});

it('takes pictures for a part of what tokens cost where they do not all fit', () => {
  const { embedder, vision } = account(159);
  Object.assign(embedder, { seconds: 3, patches: 16 });
  expect([vision.seconds, vision.secondsLeft()]).toEqual([0, 0]);
});

it('is told beside the time that tokens take', () => {
  const pace = createPace({
    tokens: 100,
    evaluations: 0,
    tokensPerEvaluation: 0,
    evaluationShare: 1,
    secondsBeside: () => 7,
  });
  expect(pace.secondsLeft()).toBe(7);
  pace.trained(10, 1);
  expect(pace.secondsLeft()).toBeCloseTo(9 + 7, 9);
});
