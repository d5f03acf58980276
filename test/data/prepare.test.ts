import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import type { Grid } from '../../src/data/example.ts';
import { checkRows, encodeRow, isBadRow, type PrepareContext } from '../../src/data/prepare.ts';
import { LorikeetError } from '../../src/errors.ts';
import { tinyFolder, tokenCount, tokenizerOf } from './conversations.ts';
import { folderOf, pngHeader } from './folder.ts';

const processor = {
  gridFor(width: number, height: number): Grid {
    if (width > 200 * height)
      throw new LorikeetError('image', { what: 'aspect ratio below 200 expected', fix: 'Crop it.' });
    return [1, 2 * Math.ceil(height / 28), 2 * Math.ceil(width / 28)];
  },
  tokenCount,
};

async function context(maxLength?: number): Promise<PrepareContext> {
  const tokenizer = await tokenizerOf(tinyFolder);
  return { tokenizer, imageTokenId: tokenizer.specialId('<|image_pad|>'), processor, maxLength };
}

const row = (image: string, answer = 'Yes') => ({ image, question: 'Is it?', answer });
const files = {
  'small.png': pngHeader(56, 28),
  'large.png': pngHeader(280, 280),
  'long.png': pngHeader(30_000, 10),
  'broken.png': 'not a picture',
};

async function open(rows: unknown[]) {
  return openDataset(join(folderOf({ ...files, 'a.jsonl': rows }), 'a.jsonl'), { name: 'train' });
}

describe('encodeRow', () => {
  it('takes the grids from the headers of the pictures', async () => {
    const { ids, grids, images } = await encodeRow(await open([row('small.png')]), 0, await context());
    const { imageTokenId } = await context();
    expect(grids).toEqual([[1, 2, 4]]);
    expect([...ids].filter((id) => id === imageTokenId)).toHaveLength(2);
    expect(images).toEqual([{ path: expect.stringMatching(/small.png$/) }]);
  });

  it('names the row of a picture that cannot be used', async () => {
    const dataset = await open([row('small.png'), row('long.png'), row('broken.png')]);
    const reason = (index: number) => context().then((of) => encodeRow(dataset, index, of));
    await expect(reason(1)).rejects.toMatchObject({
      code: 'image',
      place: { row: 1 },
      message: expect.stringMatching(/long.png, row 1: aspect/),
    });
    await expect(reason(2)).rejects.toMatchObject({
      code: 'image',
      place: { row: 2 },
      message: expect.stringMatching(/broken.png, row 2: /),
    });
  });
});

describe('checkRows', () => {
  const rows = [
    row('small.png'),
    row('gone.png'),
    row('large.png'),
    row('small.png', ''),
    row('small.png', 'No, it is not.'),
  ];

  it('stops at the first bad row', async () => {
    await expect(checkRows(await open(rows), await context(), { onBadRow: 'stop' })).rejects.toThrow(
      /a.jsonl:2, row 1: image "gone.png"/,
    );
  });

  it('skips bad rows with their reasons, and counts the tokens of the others', async () => {
    const progress: number[] = [];
    const dataset = await open(rows);
    const check = await checkRows(dataset, await context(), {
      onBadRow: 'skip',
      onProgress: (seen) => progress.push(seen),
    });
    expect(check.rows).toEqual([0, 2, 4]);
    expect(check.bad.map(({ row, line, reason }) => [row, line, /gone.png|empty/.exec(reason)?.[0]])).toEqual(
      [
        [1, 2, 'gone.png'],
        [3, 4, 'empty'],
      ],
    );
    expect([...check.imageTokens]).toEqual([2, 0, 100, 0, 2]);
    const { ids } = await encodeRow(dataset, 4, await context());
    expect(check.tokens[4]).toBe(ids.length);
    expect(check.labelTokens[0]).toBe((await context()).tokenizer.encodeText('Yes').length + 2);
    expect(progress).toEqual([0, 5]);
  });

  it('counts what maxLength cuts, and takes rows whose image would be cut for bad', async () => {
    const dataset = await open(rows);
    const whole = await checkRows(dataset, await context(), { onBadRow: 'skip' });
    const maxLength = whole.tokens[4] - 2;
    const check = await checkRows(dataset, await context(maxLength), { onBadRow: 'skip' });
    expect(check.rows).toEqual([0, 4]);
    expect(check.bad[1]).toMatchObject({
      row: 2,
      reason: expect.stringMatching(/\(100 image, \d+ label\): cutting would remove image/),
    });
    expect([...check.cutTokens]).toEqual([0, 0, 0, 0, 2]);
  });

  it('does not go on with no row left, nor skip what concerns every row', async () => {
    const dataset = await open([row('gone.png')]);
    await expect(checkRows(dataset, await context(), { onBadRow: 'skip' })).rejects.toThrow(
      /at least one good row expected, got none: 1 rows were skipped, the first because .*gone.png/,
    );
    const wrong = { ...(await context()), imageTokenId: 3 };
    await expect(checkRows(await open(rows), wrong, { onBadRow: 'skip' })).rejects.toMatchObject({
      code: 'tokenizer',
    });
    expect(isBadRow(new Error('x'))).toBe(false);
  });

  it('stops when asked', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(checkRows(await open(rows), await context(), { onBadRow: 'skip', signal })).rejects.toThrow(
      'enough',
    );
  });
});
