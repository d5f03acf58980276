import { describe, expect, it } from 'vitest';
import { ImagesAtHand } from '../../src/train/images-at-hand.ts';
import type { SplitPlan } from '../../src/train/plan.ts';
import { createRowLoader } from '../../src/train/row-loader.ts';
import type { Sample } from '../../src/train/step.ts';

/** A split of one row with one picture, as the check saw it. */
const split = {
  dataset: {
    file: 'rows.jsonl',
    place: (row: number) => ({ file: 'rows.jsonl', row }),
    example: async (row: number) => ({ row, turns: [] }),
    checkUnchanged: async () => {},
  },
  survey: {
    split: 'train',
    rows: [7],
    contents: [['then']],
    grids: new Map(),
    sizes: [{ tokens: 3, labelTokens: 1, pixelBytes: 0 }],
  },
} as unknown as SplitPlan;

/** Whose picture holds this when the row is loaded. */
function loaderOf(content: string, onBadRow: 'stop' | 'skip') {
  const sample = { encoded: { ids: new Int32Array(3) }, images: [{ content }] } as unknown as Sample;
  return createRowLoader(split, { load: async () => sample }, new ImagesAtHand(), onBadRow);
}

describe('a row whose picture was replaced after the check', () => {
  const words = 'picture 1 of 1 expected to hold what it held in the check before step 1, got other pixels';

  it('is refused, though it has as many tokens as before', async () => {
    await expect(loaderOf('now', 'stop').load(0)).rejects.toMatchObject({
      code: 'data',
      place: { file: 'rows.jsonl', row: 7 },
      message: expect.stringContaining(words),
    });
    await expect(loaderOf('then', 'stop').load(0)).resolves.toMatchObject({ images: [{ content: 'then' }] });
  });

  it('is lost where bad rows are skipped, as any other', async () => {
    const { load, lost } = loaderOf('now', 'skip');
    await expect(load(0)).rejects.toThrow(words); // it was the only one
    expect(lost()).toMatchObject([{ row: 7, reason: expect.stringContaining(words) }]);
  });
});
