import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/dataset.ts';
import { encodeExample } from '../../src/data/encode.ts';
import { type Grid, isLabel } from '../../src/data/example.ts';
import { imageSize } from '../../src/data/image/decode.ts';
import { hasReal, realFolder, tokenCount, tokenizerOf } from './conversations.ts';

const data = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const gridFor = (width: number, height: number): Grid => [
  1,
  2 * Math.ceil(height / 28),
  2 * Math.ceil(width / 28),
];

describe.runIf(hasReal && existsSync(data))('real data (needs ../shared)', () => {
  it.each([
    ['vqa-rad/train.jsonl', 3064, 'questionType'],
    ['vqa-rad/test.jsonl', 451, 'questionType'],
    ['easy-vqa/train.jsonl', 38_575, undefined],
    ['easy-vqa/test.jsonl', 9673, undefined],
  ])('%s opens, and its first and last rows are encoded', async (file, length, type) => {
    const tokenizer = await tokenizerOf(realFolder);
    const imageTokenId = tokenizer.specialId('<|image_pad|>');
    const dataset = await openDataset(`${data}${file}`, { name: 'train' });
    expect(dataset).toMatchObject({ length, form: 'flat' });
    expect(dataset.fields.type).toBe(type);
    for (const row of [0, 1, length - 2, length - 1]) {
      const example = await dataset.example(row);
      const [image] = example.turns[0].content;
      const { width, height } = await imageSize((image as Extract<typeof image, { type: 'image' }>).image);
      const grids = [gridFor(width, height)];
      const encoded = encodeExample(example, { tokenizer, imageTokenId, grids, tokenCount });
      const trained = encoded.ids.filter((_, t) => isLabel(encoded.kinds[t]));
      const [answer] = example.turns[1].content;
      expect(tokenizer.decode(trained)).toBe(`${answer.type === 'text' && answer.text}<|im_end|>\n`);
      expect(encoded.ids.filter((id) => id === imageTokenId)).toHaveLength(tokenCount(encoded.grids[0]));
    }
  });
});
