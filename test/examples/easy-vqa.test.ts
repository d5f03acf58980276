/** The example from its own files: rows and an untrained model prepared, the config loaded, a few steps on real rows. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { prepareModel, prepareRows } from '../../examples/easy-vqa/prepare.ts';
import { easyVqaTokenizer } from '../../examples/easy-vqa/tokenizer.ts';
import { loadConfig } from '../../src/config/load.ts';
import { run } from '../../src/train/run.ts';
import { specialTokens } from '../../tiny/tokenizer.ts';
import { inProcess } from '../train/tiny-run.ts';

const example = fileURLToPath(new URL('../../examples/easy-vqa/', import.meta.url));
const data = fileURLToPath(new URL('../../../shared/data/easy-vqa/', import.meta.url));

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-easy-vqa-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const rowsOf = (file: string): { image: string; question: string; answer: string; type: string }[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('prepareRows', () => {
  // As published: triples of question, answer and the number of the picture.
  const about = (id: number) => [
    ['what is the blue shape?', 'circle', id],
    ['what color is the shape?', 'blue', id],
    ['is there a red shape?', 'no', id],
    ['does the image not contain a circle?', 'no', id],
  ];
  const prepared = () => {
    const folder = temporaryFolder();
    const split = (name: string, ids: number[]) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'questions.json'), JSON.stringify(ids.flatMap(about)));
    };
    split('train', [...Array(102).keys()]);
    split('test', [7]);
    prepareRows(folder, join(folder, 'out'));
    return (name: string) => rowsOf(join(folder, 'out', `${name}.jsonl`));
  };

  it('reads the published files, and says what each question asks for', () => {
    expect(prepared()('test')).toEqual(
      about(7).map(([question, answer], i) => ({
        image: '../test/images/7.png',
        question,
        answer,
        type: ['which shape', 'which colour', 'is it this colour', 'is it this shape'][i],
      })),
    );
  });

  it('keeps 100 pictures with all their questions for validation', () => {
    const rows = prepared();
    const pictures = (name: string) => new Set(rows(name).map(({ image }) => image));
    expect(pictures('train')).toEqual(new Set(['../train/images/0.png', '../train/images/1.png']));
    expect(rows('train')).toHaveLength(2 * 4);
    expect(pictures('validation').size).toBe(100);
    expect(rows('validation')).toHaveLength(100 * 4);
  });
});

describe('the tokenizer', () => {
  const { tokenizer, config } = easyVqaTokenizer();
  const encoder = new Tokenizer(tokenizer, config);
  const encode = (text: string) => encoder.encode(text, { add_special_tokens: false }).ids;

  it('spends a token on each word, and can spell any other', () => {
    expect(encode('does the image not contain a yellow shape?')).toHaveLength(9);
    expect(encode('what is the color of the rectangle?')).toHaveLength(8);
    expect(encode('rectangle')).toHaveLength(1);
    expect(encoder.decode(encode('Is es ein Würfel? 漢'))).toBe('Is es ein Würfel? 漢');
  });

  it('agrees with config.json about the special tokens and the size of the vocabulary', () => {
    const model = JSON.parse(readFileSync(join(example, 'base/config.json'), 'utf8'));
    const ids = Object.fromEntries(specialTokens.map((token) => [token, encode(token)]));
    expect(model).toMatchObject({
      bos_token_id: ids['<|endoftext|>'][0],
      eos_token_id: ids['<|im_end|>'][0],
      vision_start_token_id: ids['<|vision_start|>'][0],
      vision_end_token_id: ids['<|vision_end|>'][0],
      vision_token_id: ids['<|vision_pad|>'][0],
      image_token_id: ids['<|image_pad|>'][0],
      video_token_id: ids['<|video_pad|>'][0],
    });
    expect(Math.max(...Object.values(ids).flat())).toBeLessThan(model.vocab_size);
  });

  it('writes nothing of a conversation but its texts and their borders', () => {
    const messages = [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'what is it?' }] },
      { role: 'assistant', content: 'red' },
    ];
    const template = new Template(config.chat_template);
    const asked = '<|im_start|><|vision_start|><|image_pad|><|vision_end|>what is it?<|im_end|><|im_start|>';
    expect(template.render({ messages })).toBe(`${asked}red<|im_end|>`);
    expect(template.render({ messages: messages.slice(0, 1), add_generation_prompt: true })).toBe(asked);
  });
});

it.skipIf(!existsSync(data))(
  'takes a few steps on rows of easy-VQA (skipped where ../shared is absent)',
  async () => {
    const folder = temporaryFolder();
    // About 125 pictures, of which 100 are kept for validation.
    for (const split of ['train', 'test']) {
      symlinkSync(join(data, split), join(folder, split));
      const lines = readFileSync(join(data, `${split}.jsonl`), 'utf8').split('\n');
      writeFileSync(join(folder, `${split}.jsonl`), lines.slice(0, split === 'train' ? 1200 : 20).join('\n'));
    }
    const made = join(folder, 'made');
    prepareRows(folder, made);
    await prepareModel(join(made, 'untrained'), 42);
    const validation = join(folder, 'validation.jsonl');
    const kept = rowsOf(join(made, 'validation.jsonl')).slice(0, 16);
    writeFileSync(
      validation,
      kept.map((row) => JSON.stringify({ ...row, image: join(made, row.image) })).join('\n'),
    );
    const config = await loadConfig(join(example, 'easy-vqa.yaml'), {
      set: [
        `model=${join(made, 'untrained')}`,
        `data.train=${join(made, 'train.jsonl')}`,
        `data.validation=${validation}`,
        `data.test=${join(made, 'test.jsonl')}`,
        `output=${join(folder, 'run')}`,
        'train.maxSteps=12',
        'train.gradientAccumulation=32',
        'train.warmupSteps=2',
      ],
    });
    const losses: number[] = [];
    for await (const event of run(config, inProcess)) if (event.type === 'step') losses.push(event.loss);
    expect(losses).toHaveLength(12);
    // An untrained model guesses among the 384 words of its vocabulary, and soon among the few that are answers.
    expect(Math.abs(losses[0] - Math.log(384))).toBeLessThan(1);
    expect(losses[11]).toBeLessThan(0.7 * losses[0]);
    expect(existsSync(join(folder, 'run/best/model.safetensors'))).toBe(true);
  },
);
