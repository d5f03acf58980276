import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { conversationRows, dataDefaults, makeData, sceneOf } from '../../demo/make-data.ts';
import { floor } from '../../demo/score.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-demo-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('makeData', () => {
  it('writes the same files for the same seed, with pixels that survive the PNG', async () => {
    const size = { train: 20, validation: 8 };
    const rows = await makeData(join(folder, 'a'), size);
    await makeData(join(folder, 'b'), size);
    const first = rows.train[0].image;
    for (const file of ['train.jsonl', 'validation.jsonl', first])
      expect(readFileSync(join(folder, 'a', file))).toEqual(readFileSync(join(folder, 'b', file)));
    const { data } = await sharp(join(folder, 'a', first))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(new Uint8Array(data)).toEqual(sceneOf('train', 0, dataDefaults).image);
    const lines = readFileSync(join(folder, 'a', 'train.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(rows.train);
  });

  it('splits by scene, and draws no picture twice', async () => {
    const rows = await makeData(join(folder, 'c'), { train: 15, validation: 15 });
    const groups = (split: 'train' | 'validation') => new Set(rows[split].map((row) => row.group));
    for (const group of groups('validation')) expect(groups('train').has(group)).toBe(false);
    const images = [0, 1, 2].flatMap((n) =>
      (['train', 'validation'] as const).map((split) => sceneOf(split, n, dataDefaults).image.join()),
    );
    expect(new Set(images).size).toBe(6);
  });

  it('makes two rows of a scene where conversations are asked for: its questions in order, and a report', () => {
    const scene = sceneOf('train', 1, { ...dataDefaults, style: 'long' });
    const [{ messages, images }, report] = conversationRows(scene);
    expect(images).toEqual([scene.file]);
    expect(messages).toHaveLength(2 * scene.questions.length);
    expect(messages[0].content).toEqual([
      { type: 'image' },
      { type: 'text', text: scene.questions[0].question },
    ]);
    expect(report.messages).toHaveLength(2);
    expect(report.images).toEqual([scene.file]);
    expect(messages.at(-1)?.content).toEqual([{ type: 'text', text: scene.questions.at(-1)?.answer }]);
  });

  it('gives a blind guesser little: the floor stays below 45 %', async () => {
    const rows = await makeData(join(folder, 'd'), { train: 150, validation: 60 });
    expect(floor(rows.train, rows.validation)).toBeLessThan(0.45);
  });
});
