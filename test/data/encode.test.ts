import { describe, expect, it } from 'vitest';
import { encodeExample, encodePrompt } from '../../src/data/encode.ts';
import { type Encoded, isLabel, labelsOf, tokenKinds } from '../../src/data/example.ts';
import { compileTemplate } from '../../src/data/template.ts';
import type { ChatTokenizer } from '../../src/data/tokenizer.ts';
import {
  type Case,
  encodeOptions,
  exampleOf,
  fixture,
  hasReal,
  realFolder,
  tinyFolder,
  tokenizerOf,
} from './conversations.ts';

const cases = fixture<Record<string, Case>>('cases.json');

interface Expected {
  ids: number[];
  labels: [number, number][];
}

function labelSpans({ kinds }: Encoded): [number, number][] {
  const spans: [number, number][] = [];
  kinds.forEach((kind, t) => {
    if (!isLabel(kind)) return;
    const last = spans.at(-1);
    const isNext = last !== undefined && last[1] === t && !startsAnswer(kinds, t);
    if (isNext) last[1] = t + 1;
    else spans.push([t, t + 1]);
  });
  return spans;
}

const nameOf = (kind: number) => tokenKinds[kind];
const startsAnswer = (kinds: Uint8Array, t: number) =>
  nameOf(kinds[t]) === 'answer' && nameOf(kinds[t - 1]) !== 'answer';

function holdsToReference(folder: string, file: string) {
  const expected = fixture<Record<string, Expected>>(file);
  it.each(Object.keys(cases))('%s', async (name) => {
    const tokenizer = await tokenizerOf(folder);
    const encoded = encodeExample(exampleOf(cases[name]), encodeOptions(tokenizer, cases[name].counts));
    expect([...encoded.ids]).toEqual(expected[name].ids);
    expect(labelSpans(encoded)).toEqual(expected[name].labels);
  });
}

describe('ids and labels equal the reference with a tiny tokenizer', () => {
  holdsToReference(tinyFolder, 'expected-tiny.json');
});

describe.runIf(hasReal)(
  'ids and labels equal the reference with the Qwen2-VL tokenizer (needs ../shared)',
  () => {
    holdsToReference(realFolder, 'expected-qwen2-vl.json');
  },
);

const single = (question: string, answer: string): Case => ({
  turns: [
    { role: 'user', content: ['image', { text: question }] },
    { role: 'assistant', content: [{ text: answer }] },
  ],
  counts: [4],
});

/** Runs of equal kinds with the text they stand for. */
function told(encoded: Encoded, tokenizer: ChatTokenizer): [string, string][] {
  const runs: [string, number[]][] = [];
  encoded.ids.forEach((id, t) => {
    const kind = nameOf(encoded.kinds[t]);
    const last = runs.at(-1);
    if (last?.[0] === kind) last[1].push(id);
    else runs.push([kind, [id]]);
  });
  return runs.map(([kind, ids]) => [kind, tokenizer.decode(ids)]);
}

describe('kinds', () => {
  it('say why each token is or is not trained', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const { turns, counts } = single('Is there a polyp?', 'Yes.');
    expect(told(encodeExample(exampleOf({ turns }), encodeOptions(tokenizer, counts)), tokenizer)).toEqual([
      ['header', '<|im_start|>system\n'],
      ['system', 'You are a helpful assistant.'],
      ['header', '<|im_end|>\n<|im_start|>user\n<|vision_start|>'],
      ['image', '<|image_pad|>'.repeat(4)],
      ['header', '<|vision_end|>'],
      ['user', 'Is there a polyp?'],
      ['header', '<|im_end|>\n<|im_start|>assistant\n'],
      ['answer', 'Yes.'],
      ['end', '<|im_end|>\n'],
    ]);
  });

  it('count a token that header and question share to the question', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const turns: Case['turns'] = [
      { role: 'system', content: [{ text: 'Be brief.' }] },
      { role: 'user', content: [{ text: '\n\nWhy?' }] },
      { role: 'assistant', content: [{ text: 'So.' }] },
    ];
    const runs = told(encodeExample(exampleOf({ turns }), encodeOptions(tokenizer, [])), tokenizer);
    expect(runs.slice(0, 2)).toEqual([
      ['header', '<|im_start|>system\n'],
      ['system', 'Be brief.'],
    ]);
    expect(runs.filter(([kind]) => kind === 'user').map(([, text]) => text.trim())).toEqual(['Why?']);
  });

  it('become labels of -100 and ids', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const encoded = encodeExample(exampleOf(single('Q', 'Yes.')), encodeOptions(tokenizer, [4]));
    const trained = [...labelsOf(encoded)].filter((id) => id !== -100);
    expect(tokenizer.decode(trained)).toBe('Yes.<|im_end|>\n');
  });
});

describe('maxLength', () => {
  it('cuts the end of an answer', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const options = encodeOptions(tokenizer, [4]);
    const whole = encodeExample(exampleOf(single('Q', 'one two three')), options);
    const cut = encodeExample(exampleOf(single('Q', 'one two three')), {
      ...options,
      maxLength: whole.ids.length - 3,
    });
    expect(whole.cut).toBe(0);
    expect(cut.cut).toBe(3);
    expect([...cut.ids]).toEqual([...whole.ids.slice(0, -3)]);
  });

  it('never cuts image tokens or every label: the row is bad, with its counts', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const options = encodeOptions(tokenizer, [4]);
    const example = exampleOf(single('Q', 'one'), 7);
    const whole = encodeExample(example, options);
    const first = [...whole.kinds].findIndex((kind) => isLabel(kind));
    expect(() => encodeExample(example, { ...options, maxLength: first })).toThrow(
      /row 7: at most maxLength \d+ tokens expected, got \d+ tokens \(4 image, \d+ label\): cutting would remove every label/,
    );
    expect(encodeExample(example, { ...options, maxLength: first + 1 }).ids).toHaveLength(first + 1);
    const lastImage = whole.ids.lastIndexOf(options.imageTokenId);
    expect(() => encodeExample(example, { ...options, maxLength: lastImage })).toThrow(/remove image tokens/);
  });

  it('cuts later answers, but not a later image', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const twice: Case = { turns: [...single('Q', 'A').turns, ...single('R', 'B').turns], counts: [2, 2] };
    const options = encodeOptions(tokenizer, [2, 2]);
    const length = encodeExample(exampleOf(twice), options).ids.length;
    expect(() => encodeExample(exampleOf(twice), { ...options, maxLength: length - 20 })).toThrow(
      /image tokens/,
    );
    expect(encodeExample(exampleOf(twice), { ...options, maxLength: length - 3 }).cut).toBe(3);
  });
});

describe('bad conversations', () => {
  it('without an answer, with an empty one, or with nothing but white space name the row', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const encode = (turns: Case['turns']) =>
      encodeExample(exampleOf({ turns }, 3), encodeOptions(tokenizer, []));
    const question = { role: 'user' as const, content: [{ text: 'Q' }] };
    const answer = (text: string) => ({ role: 'assistant' as const, content: [{ text }] });
    expect(() => encode([question])).toThrow(/row 3: an assistant turn expected, got only user/);
    expect(() => encode([question, answer('')])).toThrow(
      /row 3: turn 1 \(assistant\) expected text, got an empty one/,
    );
    expect(() => encode([question, answer(' \n')])).toThrow(/white space/);
    expect(() => encode([question, answer('a'), question, answer('')])).toThrow(/turn 3/);
    expect(() => encode([answer('a')])).toThrow(/user turn expected before/);
    expect(() => encode([question, { role: 'assistant', content: ['image'] }])).toThrow(/got an image/);
    expect(() => encode([question, answer('\ud83d')])).toThrow(/surrogate/);
  });

  it('need as many grids as images, and an image token that the tokenizer knows', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const example = exampleOf(single('Q', 'A'));
    expect(() => encodeExample(example, encodeOptions(tokenizer, []))).toThrow(
      /one for each of 1 images, got 0/,
    );
    expect(() => encodeExample(example, { ...encodeOptions(tokenizer, [1]), imageTokenId: 5 })).toThrow(
      /image token 5 of the config expected among the special tokens/,
    );
  });
});

describe('a picture of a million tokens', () => {
  it('is refused before they are written down', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const options = { ...encodeOptions(tokenizer, [1]), tokenCount: () => 2 ** 31, maxLength: 2048 };
    expect(() => encodeExample(exampleOf(single('Q', 'A'), 4), options)).toThrow(
      /^row 4: at most 1048576 tokens expected, got one picture of 2147483648\. Lower image\.maxPixels\.$/,
    );
  });
});

describe('other templates', () => {
  const withTemplate = async (source: string) => {
    const tokenizer = await tokenizerOf(tinyFolder);
    return { ...tokenizer, template: compileTemplate(source, 'chat_template.jinja', {}) };
  };
  const loop = (body: string) =>
    `{% for m in messages %}<|im_start|>{{ m.role }}\n${body}<|im_end|>{% endfor %}`;
  const chat = (question: string, answer: string): Case['turns'] => [
    { role: 'user', content: [{ text: question }] },
    { role: 'assistant', content: [{ text: answer }] },
  ];

  it('that trim are fine where there is nothing to trim, and name the row where there is', async () => {
    const tokenizer = await withTemplate(loop('{{ m.content | trim }}'));
    const encode = (answer: string) =>
      encodeExample(exampleOf({ turns: chat('Q', answer) }, 5), encodeOptions(tokenizer, []));
    expect(told(encode('Yes'), tokenizer).slice(-2)).toEqual([
      ['answer', 'Yes'],
      ['end', '<|im_end|>'],
    ]);
    expect(() => encode(' Yes')).toThrow(/row 5: the chat template .* trimmed or rewritten/);
  });

  it('that rewrite, repeat, drop or reorder texts are refused', async () => {
    const encode = async (body: string, turns = chat('Q', 'A b')) =>
      encodeExample(exampleOf({ turns }), encodeOptions(await withTemplate(body), []));
    await expect(encode(loop("{{ m.content.split(' ')[0] }}"))).rejects.toThrow(/rewritten/);
    await expect(encode(loop("{{ m.content | replace('b', '<|im_end|>') }}"))).rejects.toThrow(/rewritten/);
    await expect(encode(loop('{{ m.content }}{{ m.content }}'))).rejects.toThrow(/expected once .* 2 times/);
    await expect(encode(loop("{% if m.role == 'user' %}{{ m.content }}{% endif %}"))).rejects.toThrow(
      /0 times/,
    );
    await expect(encode('{{ messages[1].content }}{{ messages[0].content }}')).rejects.toThrow(
      /out of order/,
    );
  });

  it('that raise, or do not end an answer, are errors', async () => {
    const encode = async (body: string) =>
      encodeExample(exampleOf({ turns: chat('Q', 'A') }, 2), encodeOptions(await withTemplate(body), []));
    await expect(encode("{{ raise_exception('roles must alternate') }}")).rejects.toMatchObject({
      code: 'data',
      message: expect.stringMatching(/row 2: .*roles must alternate/),
    });
    const open = '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}';
    await expect(encode(open)).rejects.toThrow(/end an answer with a special token/);
  });

  it('that write no image token for an image are errors', async () => {
    const tokenizer = await withTemplate(
      '{% for m in messages %}<|im_start|>{% if m.content is string %}{{ m.content }}{% else %}{{ m.content[1].text }}{% endif %}<|im_end|>{% endfor %}',
    );
    expect(() => encodeExample(exampleOf(single('Q', 'A')), encodeOptions(tokenizer, [1]))).toThrow(
      /one image token for each of 1 images, got 0/,
    );
  });
});

function beginsAsWithItsAnswer(folder: string) {
  it.each(Object.keys(cases))('%s', async (name) => {
    const tokenizer = await tokenizerOf(folder);
    const example = exampleOf(cases[name]);
    const last = example.turns.findLastIndex(({ role }) => role === 'assistant');
    const asked = { ...example, turns: example.turns.slice(0, last) };
    const images = asked.turns.flatMap(({ content }) =>
      content.filter(({ type }) => type === 'image'),
    ).length;
    const options = encodeOptions(tokenizer, cases[name].counts.slice(0, images));
    if (asked.turns.at(-1)?.role !== 'user') {
      expect(() => encodePrompt(asked, options)).toThrow('ends with a user turn');
      return;
    }
    const { ids, kinds } = encodePrompt(asked, options);
    const whole = encodeExample(example, encodeOptions(tokenizer, cases[name].counts));
    expect([...ids]).toEqual([...whole.ids.slice(0, ids.length)]);
    expect([...kinds]).toEqual([...whole.kinds.slice(0, ids.length)]);
    expect(nameOf(whole.kinds[ids.length])).toBe('answer');
  });
}

describe('a prompt begins as the conversation with its answer does', () => {
  beginsAsWithItsAnswer(tinyFolder);
});

describe.runIf(hasReal)('a prompt begins so with the Qwen2-VL tokenizer (needs ../shared)', () => {
  beginsAsWithItsAnswer(realFolder);
});

describe('encodePrompt', () => {
  it('refuses a conversation that waits for nothing', async () => {
    const options = encodeOptions(await tokenizerOf(tinyFolder), []);
    const says = (...roles: ('user' | 'assistant' | 'system')[]) =>
      exampleOf({ turns: roles.map((role) => ({ role, content: [{ text: 'a' }] })) });
    for (const turns of [says('user', 'assistant'), says(), says('system'), says('assistant', 'user')])
      expect(() => encodePrompt(turns, options)).toThrow('ends with a user turn');
    expect(encodePrompt(says('system', 'user'), options).ids.length).toBeGreaterThan(4);
  });
});
