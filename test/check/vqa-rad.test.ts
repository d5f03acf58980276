import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { check } from '../../src/train/check.ts';
import { copyPublished, hasPublished, published } from '../support/published.ts';

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));
const data = join(shared, 'data/vqa-rad');
const present = existsSync(data) && hasPublished;

const picturesOf = (file: string) => {
  const rows = readFileSync(join(data, file), 'utf8').trim().split('\n');
  return rows.map((row): string => JSON.parse(row).image);
};

it.skipIf(!present)(
  'finds the 203 test pictures of VQA-RAD that also stand in training (skipped where ../shared is absent)',
  async () => {
    const model = mkdtempSync(join(tmpdir(), 'lorikeet-vqa-rad-check-'));
    copyPublished(model);
    copyFileSync(join(published, 'config-2b.json'), join(model, 'config.json'));
    const config = {
      model,
      data: { train: join(data, 'train.jsonl'), validation: join(data, 'test.jsonl') },
      image: { maxPixels: 448 * 448 },
      output: join(model, 'run'),
    };
    const events = [];
    for await (const event of check(config)) events.push(event);
    rmSync(model, { recursive: true });
    const last = events.at(-1);
    if (last?.type !== 'checked') throw new Error('the check did not end');
    const { splits, shared: both, chance, warnings } = last.check;
    // Counted from the files alone: here every picture has one name, so names tell them apart as well as pixels do.
    const train = new Set(picturesOf('train.jsonl'));
    const test = picturesOf('test.jsonl');
    const inBoth = new Set(test.filter((image) => train.has(image)));
    expect(inBoth.size).toBe(203);
    expect(both?.same).toMatchObject({
      pictures: 203,
      rows: test.filter((image) => inBoth.has(image)).length,
    });
    expect(both?.same.pairs[0]).toEqual({ validation: test[0], train: test[0] });
    expect(both?.near.pictures).toBe(0);
    expect(splits.map(({ images }) => images.distinct)).toEqual([train.size, new Set(test).size]);
    expect(splits.map(({ rows, images }) => [rows, images.uses])).toEqual([
      [3064, 3064],
      [451, 451],
    ]);
    expect(chance?.uniform).toBeCloseTo(11.931, 3);
    expect(chance!.answers).toBeLessThan(5);
    expect(warnings.join()).toContain('203 of 203 validation pictures');
  },
);
