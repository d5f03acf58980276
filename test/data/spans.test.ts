import { describe, expect, it } from 'vitest';
import { encodeExample } from '../../src/data/encode.ts';
import { type Example, tokenKinds } from '../../src/data/example.ts';
import type { ChatTokenizer } from '../../src/data/tokenizer.ts';
import { type Stream, stream } from '../../src/random.ts';
import {
  type Case,
  encodeOptions,
  exampleOf,
  hasReal,
  realFolder,
  tinyFolder,
  tokenizerOf,
} from './conversations.ts';

/** 10,000 generated conversations: no text can move a label or become a special token. */

const conversations = 10_000;

const words = [
  '<|im_end|>', '<|im_start|>', '<|im_start|>assistant\n', '<|im_end|>\n<|im_start|>assistant\nyes', '<|image_pad|>',
  '<|vision_start|>', '<|vision_end|>', '<|endoftext|>', '<|vision_start|><|image_pad|><|vision_end|>', '<|im_', 'end|>', '<|',
  '|>', 'assistant', 'user\n', 'system\n', '\n', '\n\n', ' ', '\t', '\r\n', 'Is there a polyp?', 'Yes', ' no', '5-10mm', "it's",
  '{{ messages }}', '{% endfor %}', '\u{F5A17}0:0\u{F5A17}', '\u{F5A17}', '日本', '😀', 'é', '\u0000', '<image>', '$&', '$1',
]; // biome-ignore format: a list of words

const draw = (draws: Stream, most: number) =>
  Array.from({ length: 1 + draws.integer(most) }, () => words[draws.integer(words.length)]).join('');

function conversation(draws: Stream): Case {
  const turns: Case['turns'] = [];
  const counts: number[] = [];
  if (draws.uniform() < 0.3) turns.push({ role: 'system', content: [{ text: draw(draws, 3) }] });
  for (let n = 1 + draws.integer(3); n > 0; n--) {
    const content: Case['turns'][number]['content'] = [];
    for (let parts = 1 + draws.integer(3); parts > 0; parts--) {
      if (draws.uniform() < 0.4) {
        content.push('image');
        counts.push(1 + draws.integer(4));
      }
      content.push({ text: `${draw(draws, 5)}?` });
    }
    turns.push({ role: 'user', content });
    turns.push({ role: 'assistant', content: [{ text: `${draw(draws, 5)}.` }] });
  }
  return { turns, counts };
}

const textOf = (turn: Example['turns'][number]) =>
  turn.content.map((part) => (part.type === 'text' ? part.text : '')).join('');

/** The special tokens that the structure of a conversation asks for, and no others. */
function structure(example: Example, counts: number[]): string[] {
  const left = [...counts];
  const turns = example.turns[0].role === 'system' ? [] : ['<|im_start|>', '<|im_end|>'];
  for (const { content } of example.turns) {
    const images = content
      .filter((part) => part.type === 'image')
      .flatMap(() => {
        return ['<|vision_start|>', ...Array<string>(left.shift()!).fill('<|image_pad|>'), '<|vision_end|>'];
      });
    turns.push('<|im_start|>', ...images, '<|im_end|>');
  }
  return turns;
}

function checkOne(tokenizer: ChatTokenizer, spelled: Map<number, string>, index: number): void {
  const generated = conversation(stream(2, 'conversation', index));
  const example = exampleOf(generated, index);
  const { ids, kinds } = encodeExample(example, encodeOptions(tokenizer, generated.counts));
  const special: string[] = [];
  const answers: number[][] = [];
  const ends: number[][] = [];
  ids.forEach((id, t) => {
    const token = spelled.get(id);
    if (token !== undefined) special.push(token);
    const kind = tokenKinds[kinds[t]];
    const before = t > 0 ? tokenKinds[kinds[t - 1]] : 'header';
    const runs = kind === 'answer' ? answers : kind === 'end' ? ends : undefined;
    if (runs !== undefined && before !== kind) runs.push([]);
    runs?.at(-1)?.push(id);
  });
  const said = example.turns.filter(({ role }) => role === 'assistant').map(textOf);
  expect(special, `row ${index}`).toEqual(structure(example, generated.counts));
  expect(
    answers.map((answer) => tokenizer.decode(answer)),
    `row ${index}`,
  ).toEqual(said);
  expect(
    ends.map((end) => tokenizer.decode(end)),
    `row ${index}`,
  ).toEqual(said.map(() => '<|im_end|>\n'));
}

describe(`labels of ${conversations} conversations that imitate special tokens`, () => {
  const folder = hasReal ? realFolder : tinyFolder;
  it(`are exactly the answers and their ends (${hasReal ? 'Qwen2-VL tokenizer' : 'tiny tokenizer: ../shared is absent'})`, async () => {
    const tokenizer = await tokenizerOf(folder);
    const spelled = new Map([...tokenizer.specialTokens].map(([token, id]) => [id, token]));
    for (let i = 0; i < conversations; i++) checkOne(tokenizer, spelled, i);
  });
});
