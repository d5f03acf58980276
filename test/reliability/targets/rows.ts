import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../../src/data/dataset.ts';
import { encodeExample } from '../../../src/data/encode.ts';
import type { Example } from '../../../src/data/example.ts';
import { imagesOf } from '../../../src/data/example-images.ts';
import { type ChatTokenizer, loadTokenizer } from '../../../src/data/tokenizer.ts';
import { LorikeetError } from '../../../src/errors.ts';
import { binaryMutations, jsonLines, jsonMutations, type Mutation } from '../mutations.ts';
import { holds, type Target } from '../target.ts';
import { asBuffer, fixtures, fixturesOf } from './files.ts';

const turn = (role: string, ...content: unknown[]) => ({ role, content });
const text = (words: string) => ({ type: 'text', text: words });
const image = { type: 'image' };

/** A file of each form. */
const forms: object[][] = [
  [
    { image: 'a.png', question: 'Is there a polyp?', answer: 'Yes.', question_type: 'yes/no', patient_id: 7 },
    { image: ['a.png', 'b.png'], question: 'Which one?', answer: 2, system: 'Be brief.' },
  ],
  [
    {
      messages: [
        turn('user', image, text('What is it?')),
        turn('assistant', text('A polyp.')),
        { role: 'user', content: 'Where?' },
        { role: 'assistant', content: 'Left.' },
      ],
      images: ['a.png'],
    },
  ],
  [{ messages: [turn('user', { type: 'image', image: 'b.png' }, text('q')), turn('assistant', text('a'))] }],
  [
    {
      messages: [
        { role: 'system', content: 'Answer.' },
        turn('user', text('q'), { type: 'image_url', image_url: { url: 'a.png' } }),
        { role: 'assistant', content: 'a' },
      ],
    },
  ],
  [
    {
      image: 'a.png',
      conversations: [
        { from: 'human', value: '<image>\nq' },
        { from: 'gpt', value: 'a' },
      ],
    },
  ],
];

const grid = [1, 4, 4] as const;
const tokensOfGrid = 4;

function checked(example: Example, tokenizer: ChatTokenizer, folder: string): void {
  const images = imagesOf(example);
  for (const reference of images) {
    holds('pictures in the folder alone', !('path' in reference) || reference.path.startsWith(folder));
  }
  const imageTokenId = tokenizer.specialId('<|image_pad|>');
  const grids = images.map(() => grid);
  const options = { tokenizer, imageTokenId, grids, tokenCount: () => tokensOfGrid };
  const { ids, kinds } = encodeExample(example, options);
  holds('a kind for each id', ids.length === kinds.length);
  const count = (token: string) => ids.filter((id) => id === tokenizer.specialId(token)).length;
  const system = example.turns.some(({ role }) => role === 'system') ? 0 : 1;
  holds('image tokens of the pictures alone', count('<|image_pad|>') === images.length * tokensOfGrid);
  holds('a beginning for each turn', count('<|im_start|>') === example.turns.length + system);
  holds('an end for each turn', count('<|im_end|>') === example.turns.length + system);
}

/** Every row of a file, through tokenization. */
async function readAll(file: string, tokenizer: ChatTokenizer, folder: string): Promise<void> {
  const dataset = await openDataset(file, { name: 'train' });
  let refusal: unknown;
  for (let row = 0; row < dataset.length; row++) {
    try {
      checked(await dataset.example(row), tokenizer, folder);
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      refusal ??= error;
    }
  }
  if (refusal) throw refusal;
}

function rowsTarget(
  name: string,
  extension: string,
  changes: Pick<Target, 'mutations' | 'part'>,
  bases: () => Buffer[],
): Target {
  return {
    name,
    ...changes,
    async open(folder) {
      mkdirSync(folder, { recursive: true });
      for (const picture of ['a.png', 'b.png'])
        copyFileSync(`${fixtures}/images/grey.png`, join(folder, picture));
      const tokenizer = await loadTokenizer(`${fixtures}/conversations/tiny`);
      const file = join(folder, `rows.${extension}`);
      return {
        bases: bases(),
        read: async (bytes) => {
          writeFileSync(file, bytes);
          await readAll(file, tokenizer, folder);
        },
      };
    },
  };
}

const asLines = (rows: object[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
const ofJson: { mutations: Target['mutations'] } = { mutations: jsonMutations };
const ofBytes: { mutations: import('fast-check').Arbitrary<Mutation[]> } = { mutations: binaryMutations };

export const rowTargets: Target[] = [
  rowsTarget('data rows', 'jsonl', { ...ofJson, part: jsonLines }, () => forms.map(asLines)),
  rowsTarget('data rows as one array', 'json', ofJson, () => forms.map(asBuffer)),
  rowsTarget('parquet files', 'parquet', ofBytes, () =>
    fixturesOf('parquet', /^(flat-(?!snappy).*|binary|messages|llava)\.parquet$/),
  ),
];
