/** Rows of parquet are the rows of JSON lines: the same tokens, the same pixels, the same training. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { openDataset } from '../../../src/data/dataset.ts';
import type { ImageReference } from '../../../src/data/example.ts';
import { imagesOf } from '../../../src/data/example-images.ts';
import { nameInFolder, readSource } from '../../../src/data/image/source.ts';
import { LorikeetError } from '../../../src/errors.ts';
import { createEncoder } from '../../../src/train/encoder.ts';
import type { TrainEvent } from '../../../src/train/events.ts';
import { run } from '../../../src/train/run.ts';
import { inProcess, tinyRows, tinyRun } from '../../train/tiny-run.ts';

const parquet = (name: string) => new URL(`../../fixtures/parquet/${name}.parquet`, import.meta.url).pathname;
const open = (file: string) => openDataset(file, { name: 'train' });

describe('rows of parquet', () => {
  it.each([
    ['flat-snappy', 'flat'],
    ['flat-zstd', 'flat'],
    ['binary', 'flat'],
    ['messages', 'messagesImages'],
    ['llava', 'llava'],
  ])(
    '%s is read as %s and becomes the tokens and patches of the same rows in JSON lines',
    async (name, form) => {
      const folder = tinyRun();
      const encoder = await createEncoder({
        modelDir: join(folder, 'model'),
        image: { sixteenBit: 'clip' },
        maxLength: 2048,
      });
      const [lines, held] = [await open(join(folder, 'train.jsonl')), await open(parquet(name))];
      expect(held.form).toBe(form);
      expect(held.length).toBe(tinyRows.length);
      for (let row = 0; row < held.length; row++) {
        const [one, other] = [
          await encoder.load(await lines.example(row)),
          await encoder.load(await held.example(row)),
        ];
        expect(other.encoded.ids).toEqual(one.encoded.ids);
        expect(other.encoded.kinds).toEqual(one.encoded.kinds);
        expect(other.encoded.grids).toEqual(one.encoded.grids);
        expect(other.images).toEqual(one.images);
      }
    },
  );

  it('carry their type and group, whole numbers too', async () => {
    const held = await open(parquet('flat-snappy'));
    expect(await held.example(1)).toMatchObject({ row: 1, type: 'open', group: '8' });
    expect((await held.example(4)).type).toBeUndefined();
  });

  it('hold their pictures with their own bytes, named by what is in them', async () => {
    const held = await open(parquet('flat-snappy'));
    const pictures: ImageReference[] = [];
    for (let row = 0; row < 3; row++) pictures.push(...imagesOf(await held.example(row)));
    const [a, b, again] = pictures.map((picture) => nameInFolder(picture, held.images));
    expect(a).toMatch(/^a\.png \(sha256 [0-9a-f]{24}\)$/);
    expect(again).toBe(a);
    expect(b).not.toBe(a);
    const bytes = await readSource(pictures[0]);
    const file = new URL('../../fixtures/images/rgb.png', import.meta.url);
    expect(Buffer.from(bytes).equals(readFileSync(file))).toBe(true);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });

  it('train to the same losses, held pictures in the scores too', async () => {
    const folder = tinyRun();
    for (const name of ['train', 'val'])
      copyFileSync(parquet('flat-snappy'), join(folder, `${name}.parquet`));
    writeFileSync(join(folder, 'val.jsonl'), tinyRows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const losses = async (set: string[]) => {
      const told: number[] = [];
      const config = await loadConfig(join(folder, 'config.yaml'), { set });
      const events = run(config, inProcess as never) as AsyncIterable<TrainEvent>;
      for await (const event of events) {
        if (event.type === 'step') told.push(event.loss);
        if (event.type === 'evaluate' || event.type === 'baseline') told.push(event.loss);
      }
      return told;
    };
    const fromLines = await losses(['output=lines']);
    const fromParquet = await losses([
      'output=held',
      'data.train=train.parquet',
      'data.validation=val.parquet',
    ]);
    expect(fromLines.length).toBeGreaterThan(6);
    expect(fromParquet).toEqual(fromLines);
    const scores = readFileSync(join(folder, 'held/scores/last.jsonl'), 'utf8');
    expect(scores).toMatch(/"images":\["a\.png \(sha256 [0-9a-f]{24}\)"\]/);
    expect(scores).toContain('"picture":"validation-0.jpg"');
  });

  it('name the row whose picture cannot be decoded', async () => {
    const bytes = readFileSync(parquet('flat-none'));
    const at = bytes.indexOf(Buffer.from('IDAT')); // of the first picture of the first group
    bytes.fill(0, at + 4, at + 40);
    const folder = tinyRun();
    writeFileSync(join(folder, 'train.parquet'), bytes);
    const config = await loadConfig(join(folder, 'config.yaml'), { set: ['data.train=train.parquet'] });
    const error = await (async () => {
      for await (const _ of run(config, inProcess as never)) void 0;
    })().catch((reason) => reason);
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error).toMatchObject({ code: 'image', place: { row: 0 } });
    expect(error.message).toMatch(/train\.parquet, row 0: a\.png \(sha256 .*damaged or cut short/);
  });
});
