import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLabelGuard, openingTokens } from '../../src/check/label-guard.ts';
import { encodeExample } from '../../src/data/encode.ts';
import { type Encoded, type Example, type TokenKind, tokenKinds } from '../../src/data/example.ts';
import { compileTemplate } from '../../src/data/template.ts';
import type { ChatTokenizer } from '../../src/data/tokenizer.ts';
import { LorikeetError } from '../../src/errors.ts';
import { stream } from '../../src/random.ts';
import { check } from '../../src/train/check.ts';
import {
  encodeOptions,
  exampleOf,
  hasReal,
  realFolder,
  tinyFolder,
  tokenCount,
  tokenizerOf,
} from '../data/conversations.ts';
import { tinyRun } from '../train/tiny-run.ts';

const tokenizer = await tokenizerOf(tinyFolder);
const id = (token: string) => tokenizer.specialId(token);

const guardOf = (changed: ChatTokenizer) =>
  createLabelGuard({
    tokenizer: changed,
    imageTokenId: id('<|image_pad|>'),
    visionTokens: new Set(['<|image_pad|>', '<|vision_start|>', '<|vision_end|>'].map(id)),
    processor: { tokenCount },
  });

const withTemplate = (source: string): ChatTokenizer => ({
  ...tokenizer,
  template: compileTemplate(source, 'chat_template.jinja', {}),
});

type Turns = Parameters<typeof exampleOf>[0]['turns'];
const user = (...content: Turns[number]['content']): Turns[number] => ({ role: 'user', content });
const assistant = (text: string): Turns[number] => ({ role: 'assistant', content: [{ text }] });

const twoTurns = exampleOf({
  turns: [
    user('image', { text: 'Is there a polyp?' }),
    assistant('Yes.'),
    user({ text: 'What colour?' }),
    assistant('Red.'),
  ],
});

/** What the guard says of a conversation under a template of one's own; '' where it lets it pass. */
function told(source: string, example: Example = twoTurns): string {
  const changed = withTemplate(source);
  const images = example.turns.flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
  const encoded = encodeExample(example, encodeOptions(changed, Array(images.length).fill(2)));
  try {
    guardOf(changed)(example, encoded);
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error).toMatchObject({ code: 'tokenizer', place: { file: 'chat_template.jinja', row: 0 } });
    return (error as LorikeetError).message;
  }
}

const parts = `{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}`;
const ask = '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
const each = (turn: string, end = '') => `{% for m in messages %}${turn}{% endfor %}${end}${ask}`;
const header = "<|im_start|>{{ m['role'] }}\n";

describe('a sound template', () => {
  it('passes, with its own words or its own way of asking', () => {
    expect(told(each(`${header}${parts}<|im_end|>\n`))).toBe('');
    expect(told(each(`${header}${parts}\n<|im_end|>\n`))).toBe('');
    expect(told(`{% for m in messages %}${header}${parts}<|im_end|>\n{% endfor %}`)).toBe('');
  });

  it.each([tinyFolder, ...(hasReal ? [realFolder] : [])])(
    'passes whatever is said in it, cut or whole: 1,000 conversations (%s)',
    async (folder) => {
      const real = await tokenizerOf(folder);
      const special = (token: string) => real.specialId(token);
      const guard = createLabelGuard({
        tokenizer: real,
        imageTokenId: special('<|image_pad|>'),
        visionTokens: new Set(['<|image_pad|>', '<|vision_start|>', '<|vision_end|>'].map(special)),
        processor: { tokenCount },
      });
      const draws = stream(4, 'guard');
      const words = [
        '<|im_end|>',
        '<|im_start|>assistant\n',
        '<|image_pad|>',
        ' ',
        '\n',
        'yes',
        'Polyp',
        'e\u0301',
        '日',
      ];
      const text = (end: string) =>
        Array.from({ length: 1 + draws.integer(4) }, () => words[draws.integer(words.length)]).join('') + end;
      for (let n = 0; n < 1000; n++) {
        const turns: Turns = [];
        const counts: number[] = [];
        for (let turn = 0; turn <= draws.integer(3); turn++) {
          const pictures = draws.integer(3);
          for (let i = 0; i < pictures; i++) counts.push(1 + draws.integer(3));
          turns.push(
            user(...Array<'image'>(pictures).fill('image'), { text: text('?') }),
            assistant(text('.')),
          );
        }
        const example = exampleOf({ turns }, n);
        const whole = encodeExample(example, encodeOptions(real, counts));
        guard(example, whole);
        const lastImage = whole.ids.lastIndexOf(special('<|image_pad|>'));
        const firstLabel = whole.kinds.indexOf(tokenKinds.indexOf('answer'));
        const least = Math.max(lastImage, firstLabel) + 1;
        const maxLength = least + draws.integer(whole.ids.length - least + 1);
        guard(example, encodeExample(example, { ...encodeOptions(real, counts), maxLength }));
      }
    },
  );
});

describe('a template that would train on what is not the answer', () => {
  it('without an end of a turn: the next turn would be the end', () => {
    expect(told(each(`${header}${parts}\n`, '<|im_end|>\n'))).toMatch(
      /^chat_template\.jinja, row 0: labels expected only what the assistant says .*: <\|im_start\|>, which opens a turn, would be trained as the end of an answer\. Use the chat template/,
    );
  });

  it('without an end of a turn, and no way of asking', () => {
    expect(told(`{% for m in messages %}${header}${parts}\n{% endfor %}<|im_end|>\n`)).toContain(
      '<|im_start|>, which opens a turn',
    );
  });

  it('with headers in plain words: the next question would belong to the answer', () => {
    const source = `{% for m in messages %}{{ m['role'] }}: ${parts}\n{% endfor %}<|im_end|>\n`;
    expect(told(source)).toMatch(
      /turn 1 expected its answer and what ends it, got "Yes\.user: What colour\?/,
    );
  });

  const late = (after: string, end: string) =>
    each(
      `${header}{% if m['content'] is string %}{{ m['content'] }}{% if m['role'] == 'assistant' and loop.index == 2 %}${after}{% endif %}{% else %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n`,
      end,
    );

  it('with the picture inside the answer', () => {
    expect(told(late('<|vision_start|><|image_pad|><|vision_end|>', ''))).toContain(
      "<|vision_start|>, a picture's token, would be trained on",
    );
    expect(told(late('<|image_pad|>', ''))).toMatch(
      /turn 1 expected its answer and what ends it, got "Yes\."/,
    );
  });

  it('with the picture after all answers: none of them could see it', () => {
    expect(told(late('', '<|vision_start|><|image_pad|><|vision_end|>'))).toMatch(
      /the answer of turn 1 expected 2 image tokens before it, got 0/,
    );
  });

  it('with words of its own after the answer', () => {
    expect(told(each(`${header}${parts} Thank you.<|im_end|>\n`))).toMatch(
      /got "Yes\. Thank you\.<\|im_end\|>\\n"/,
    );
  });
});

describe('labels that are wrong however they came about', () => {
  const example = exampleOf({ turns: [user('image', { text: 'Why?' }), assistant('Yes.')] });
  const encoded = encodeExample(example, encodeOptions(tokenizer, [2]));
  const relabelled = (change: (t: number, kind: TokenKind, id: number) => TokenKind): Encoded => ({
    ...encoded,
    kinds: encoded.kinds.map((kind, t) => tokenKinds.indexOf(change(t, tokenKinds[kind], encoded.ids[t]))),
  });
  const refusal = (changed: Encoded) => {
    try {
      guardOf(tokenizer)(example, changed);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  it('are refused: all tokens, pictures, the question, a header', () => {
    expect(refusal(relabelled((_, kind) => kind))).toBe('');
    expect(refusal(relabelled(() => 'answer'))).toMatch(/a picture's token/);
    expect(refusal(relabelled((_, kind) => (kind === 'image' ? 'answer' : kind)))).toMatch(
      /<\|image_pad\|>, a picture's token/,
    );
    expect(refusal(relabelled((_, kind) => (kind === 'user' ? 'answer' : kind)))).toMatch(
      /turn 1 expected its answer/,
    );
    const opener = id('<|im_start|>');
    expect(refusal(relabelled((_, kind, token) => (token === opener ? 'end' : kind)))).toMatch(
      /which opens a turn/,
    );
    const last = encoded.ids.lastIndexOf(id('<|im_end|>'));
    expect(refusal(relabelled((t, kind) => (t >= last ? 'header' : kind)))).toMatch(/got "Yes\."/);
    const first = relabelled((t, kind) => (t === encoded.ids.length - 1 ? 'header' : kind));
    expect(refusal(first)).toBe(''); // the line break after the end may be left out
  });

  it('are refused where there are more of them than answers', () => {
    const twice: Encoded = {
      ...encoded,
      ids: Int32Array.of(...encoded.ids, id('<|im_start|>'), ...tokenizer.encodeText('no'), id('<|im_end|>')),
      kinds: Uint8Array.of(...encoded.kinds, 2, ...tokenizer.encodeText('no').map(() => 5), 6),
    };
    expect(refusal(twice)).toMatch(/"no<\|im_end\|>" is no answer of this row/);
  });
});

describe('the tokens that open a turn', () => {
  it.each([
    ['ChatML', each(`${header}${parts}<|im_end|>\n`), ['<|im_start|>']],
    [
      'a template that does not ask',
      `{% for m in messages %}${header}${parts}<|im_end|>\n{% endfor %}`,
      ['<|im_start|>'],
    ],
    [
      'headers in plain words',
      `{% for m in messages %}{{ m['role'] }}: ${parts}<|im_end|>\n{% endfor %}`,
      [],
    ],
    ['a template that refuses', "{{ raise_exception('no') }}", []],
  ])('of %s', (_, source, tokens) => {
    expect([...openingTokens(withTemplate(source))]).toEqual(tokens.map(id));
  });
});

describe('before a run', () => {
  const rows = [
    {
      messages: [
        { role: 'user', content: 'Is there a polyp?' },
        { role: 'assistant', content: 'Yes.' },
        { role: 'user', content: 'What colour?' },
        { role: 'assistant', content: 'Red.' },
      ],
    },
  ];
  const errorOf = async (folder: string, words: object = {}) => {
    const config = {
      model: join(folder, 'model'),
      data: { train: join(folder, 'train.jsonl'), onBadRow: 'skip' as const },
      output: join(folder, 'run'),
      ...words,
    };
    try {
      for await (const _ of check(config));
    } catch (error) {
      return error;
    }
    return undefined;
  };

  it('such a template is refused, whatever onBadRow says', async () => {
    const folder = tinyRun({ rows });
    expect(await errorOf(folder)).toBeUndefined();
    writeFileSync(join(folder, 'model/chat_template.jinja'), each(`${header}${parts}\n`, '<|im_end|>\n'));
    const error = await errorOf(folder);
    expect(error).toMatchObject({ code: 'tokenizer', place: { row: 0, line: 1 } });
    expect((error as Error).message).toMatch(
      /train\.jsonl:1, row 0: .*chat_template\.jinja: labels expected only .*<\|im_start\|>, which opens a turn/,
    );
  });

  it('so is one that ends no answer at all, or drops the pictures', async () => {
    const folder = tinyRun();
    const template = join(folder, 'model/chat_template.jinja');
    writeFileSync(template, each(`${header}${parts}\n`));
    expect(await errorOf(folder)).toMatchObject({
      code: 'tokenizer',
      message: expect.stringContaining('expected to end an answer with a special token'),
    });
    const dropped = parts.replace('<|image_pad|>', '');
    writeFileSync(template, each(`${header}${dropped}<|im_end|>\n`));
    expect(await errorOf(folder)).toMatchObject({
      code: 'data',
      message: expect.stringMatching(/none of 5; the first: .*one image token for each of 1 images, got 0/),
    });
  });

  it('so is an image token that is an ordinary word, in the config or in the tokenizer too', async () => {
    const word = tokenizer.encodeText('Yes')[0];
    const folder = tinyRun({ model: { image_token_id: word } });
    expect(await errorOf(folder)).toMatchObject({
      code: 'tokenizer',
      message: expect.stringContaining(
        `<|image_pad|> expected id ${word} (image_token_id of config.json), got 425`,
      ),
    });
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      const file = join(folder, 'model', name);
      const json = JSON.parse(readFileSync(file, 'utf8'));
      for (const token of json.added_tokens ?? []) if (token.content === '<|image_pad|>') token.id = word;
      const named = json.added_tokens_decoder ?? {};
      if (named[425]) [named[word], named[425]] = [named[425], undefined];
      writeFileSync(file, JSON.stringify(json));
    }
    expect(await errorOf(folder)).toMatchObject({
      code: 'tokenizer',
      message: expect.stringMatching(
        /"Yes, there is .*" expected to become plain tokens, got the special token <\|image_pad\|>/,
      ),
    });
  });
});
