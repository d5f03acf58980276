import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { SIDE } from '../../demo/facts.ts';
import { drawScene } from '../../demo/scenes.ts';
import type { DataCheck } from '../../src/check/data-check.ts';
import { loadConfig } from '../../src/config/load.ts';
import { check } from '../../src/train/check.ts';
import { grey16Png } from '../support/grey16.ts';
import { tinyRun } from '../train/tiny-run.ts';

const raw = { raw: { width: SIDE, height: SIDE, channels: 3 as const } };
const scene = (n: number) => sharp(drawScene(9, n).image, raw);

const writeRows = (file: string, rows: object[]) =>
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));

async function found(folder: string, set: string[] = []): Promise<DataCheck> {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  for await (const event of check(config)) if (event.type === 'checked') return event.check;
  throw new Error('the check ended without a word');
}

const row = (image: string, answer = 'Yes.', more = {}) => ({ image, question: 'q?', answer, ...more });

describe('the check of a data set', () => {
  it('needs no weights', async () => {
    const folder = tinyRun();
    rmSync(join(folder, 'model/model.safetensors'));
    const { splits, shared, chance, warnings } = await found(folder);
    expect(splits.map(({ split, rows }) => [split, rows])).toEqual([
      ['train', 5],
      ['validation', 2],
    ]);
    // Both validation rows are the first two of training, word for word.
    expect(shared?.same).toEqual({
      pictures: 2,
      rows: 2,
      pairs: [
        { validation: 'a.png', train: 'a.png' },
        { validation: 'b.png', train: 'b.png' },
      ],
    });
    expect(shared?.near.pictures).toBe(0);
    expect(chance).toMatchObject({ uniform: Math.log(432), unseen: 0 });
    expect(chance!.answers).toBeGreaterThan(0);
    expect(chance!.answers).toBeLessThan(Math.log(432));
    expect(warnings).toEqual([expect.stringMatching(/^2 of 2 validation pictures also stand in training/)]);
    expect(structuredClone(splits)).toEqual(splits);
  });

  it('counts what the rows become', async () => {
    const [train] = (await found(tinyRun(), ['data.validation=~'])).splits;
    expect(train.images).toMatchObject({ distinct: 2, uses: 5 });
    expect(train.questionsPerImage).toEqual({ least: 2, median: 2.5, most: 3, mean: 2.5 });
    // <|im_end|> and the line break after it, for each row.
    expect(train.tokens.end).toBe(10);
    // 37 x 29 pixels are resized to 28 x 28: one token.
    expect(train.images.sizes).toEqual([{ width: 37, height: 29, tokens: 1, images: 2 }]);
    expect(train.tokens.image).toBe(5);
    const total = Object.values(train.tokens).reduce((sum, value) => sum + value, 0);
    expect(train.labelShare).toBeCloseTo((train.tokens.answer + train.tokens.end) / total, 12);
    expect(train.longest).toHaveLength(5);
    expect(train.answers.distinct).toBe(5);
  });

  it('has no shared data and no chance without validation data', async () => {
    const result = await found(tinyRun(), ['data.validation=~']);
    expect(result.splits).toHaveLength(1);
    expect(Object.keys(result)).toEqual(['splits', 'warnings']);
  });

  it('finds pictures that were saved anew, and groups on both sides', async () => {
    const folder = tinyRun({
      rows: [row('0.png', 'Yes.', { patient_id: 'p1' }), row('1.png', 'No.', { patient_id: 'p2' })],
    });
    for (const n of [0, 1, 2])
      await scene(n)
        .png()
        .toFile(join(folder, `${n}.png`));
    await scene(0).jpeg({ quality: 60 }).toFile(join(folder, 'again.jpg'));
    copyFileSync(join(folder, '1.png'), join(folder, 'copy.png'));
    writeRows(join(folder, 'val.jsonl'), [
      row('again.jpg', 'No.', { patient_id: 'p3' }),
      row('copy.png', 'Maybe.', { patient_id: 'p2' }),
      row('copy.png', 'Yes.', { patient_id: 'p2' }),
      row('2.png', 'No.', { patient_id: 'p4' }),
    ]);
    const { splits, shared, chance, warnings } = await found(folder);
    expect(shared).toEqual({
      same: { pictures: 1, rows: 2, pairs: [{ validation: 'copy.png', train: '1.png' }] },
      near: { pictures: 1, rows: 1, pairs: [{ validation: 'again.jpg', train: '0.png' }] },
      groups: { count: 1, rows: 2, names: ['p2'] },
    });
    expect(splits.map(({ groups }) => groups)).toEqual([2, 3]);
    expect(chance?.unseen).toBe(0.25);
    expect(warnings).toEqual([
      expect.stringMatching(/^2 of 4 validation rows belong to 1 group of the training data \(such as p2\)/),
      expect.stringMatching(/^1 of 3 validation pictures also stands in training, with.* 2 of 4 rows/),
      expect.stringMatching(/^1 of 3 validation pictures looks the same .*again\.jpg as 0\.png/),
    ]);
  });

  it('finds what clipping makes of 16-bit grey, with the remedy, which helps', async () => {
    const folder = tinyRun({ rows: [row('xray.png'), row('a.png')] });
    const values = Array.from({ length: 32 * 32 }, (_, i) => 1000 + 60 * i);
    writeFileSync(join(folder, 'xray.png'), grey16Png(32, values));
    const [train] = (await found(folder)).splits;
    expect(train.images.saturated).toEqual({ count: 1, sixteenBit: 1, files: ['xray.png'] });
    const { warnings } = await found(folder);
    expect(warnings[0]).toMatch(
      /^1 train picture in 16-bit grey, cut at 255, is white .*xray\.png.* image\.sixteenBit: scale/,
    );
    const scaled = await found(folder, ['image.sixteenBit=scale']);
    expect(scaled.splits[0].images.saturated.count).toBe(0);
    expect(scaled.warnings.join()).not.toContain('16-bit');
  });

  it('says how many rows lose their end', async () => {
    const long = 'a very long answer that goes on and on and on and on and on';
    const folder = tinyRun({ rows: [row('a.png', long), row('b.png', 'No.')] });
    const { splits } = await found(folder, ['data.validation=~']);
    const set = ['data.validation=~', `data.maxLength=${splits[0].longest[0].tokens - 5}`];
    expect((await found(folder, set)).warnings).toEqual([
      expect.stringMatching(
        /^1 of 2 train rows is longer than data\.maxLength and loses its end;.* Raise data\.maxLength/,
      ),
    ]);
  });
});

describe('a picture whose damage only its decoding shows', () => {
  async function damaged(): Promise<string> {
    const folder = tinyRun({ rows: [row('a.png'), row('cut.jpg'), row('b.png'), row('cut.jpg', 'No.')] });
    const whole = await scene(1).jpeg().toBuffer();
    writeFileSync(join(folder, 'cut.jpg'), whole.subarray(0, whole.length / 2));
    return folder;
  }

  it('is a bad row of every row that names it', async () => {
    await expect(found(await damaged())).rejects.toMatchObject({
      code: 'image',
      place: { line: 2, row: 1 },
      message: expect.stringMatching(/train\.jsonl:2, row 1: .*cut\.jpg: expected a whole picture/),
    });
    const { splits } = await found(await damaged(), ['data.onBadRow=skip']);
    expect(splits[0]).toMatchObject({
      rows: 2,
      refused: { count: 2, reasons: [{ count: 2, rows: [1, 3] }] },
    });
    expect(splits[0].images).toMatchObject({ distinct: 2, uses: 2 });
  });
});

describe('a check that is stopped', () => {
  it('ends without a word', async () => {
    const config = await loadConfig(join(tinyRun(), 'config.yaml'));
    const events = [];
    for await (const event of check(config, { signal: AbortSignal.abort() })) events.push(event);
    expect(events).toEqual([]);
  });
});
