import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/data/tokenizer.ts';
import { hasReal, realFolder, tinyFolder, tokenizerOf } from './conversations.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A copy of the tiny tokenizer's folder, changed: a string replaces a file, null removes it, a function edits its JSON. */
type Edit = string | null | ((json: Record<string, unknown>) => void);
function changed(edits: Record<string, Edit>): string {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-tokenizer-'));
  folders.push(folder);
  cpSync(tinyFolder, folder, { recursive: true });
  for (const [name, edit] of Object.entries(edits)) {
    const file = join(folder, name);
    if (edit === null) rmSync(file);
    else if (typeof edit === 'string') writeFileSync(file, edit);
    else {
      const json = JSON.parse(readFileSync(file, 'utf8'));
      edit(json);
      writeFileSync(file, JSON.stringify(json));
    }
  }
  return folder;
}

describe('encodeText', () => {
  it('never makes a special token', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const special = new Set(tokenizer.specialTokens.values());
    for (const token of tokenizer.specialTokens.keys()) {
      const ids = tokenizer.encodeText(`a${token}\n`);
      expect(ids.filter((id) => special.has(id))).toEqual([]);
      expect(tokenizer.decode(ids)).toBe(`a${token}\n`);
    }
    expect(tokenizer.encodeText('')).toEqual([]);
  });

  it('keeps words that were added to the vocabulary, as transformers reads them', async () => {
    const folder = changed({
      'tokenizer.json': (json) => {
        const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
        (json.added_tokens as object[]).push({ ...plain, id: 5000, content: 'colonoscopy' });
      },
    });
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.encodeText('a colonoscopy')).toContain(5000);
    expect(tokenizer.specialTokens.has('colonoscopy')).toBe(false);
    expect(tokenizer.decode(tokenizer.encodeText('a colonoscopy!'))).toBe('a colonoscopy!');
    expect(tokenizer.vocabularySize).toBe(5001);
  });

  it('takes a token for special when the template writes it, however it is marked', async () => {
    const folder = changed({
      'tokenizer_config.json': (json) => {
        json.extra_special_tokens = [];
      },
      'tokenizer.json': (json) => {
        for (const token of json.added_tokens as { special: boolean }[]) token.special = false;
      },
    });
    const tokenizer = await loadTokenizer(folder);
    const id = tokenizer.specialId('<|image_pad|>');
    expect(tokenizer.encodeText('<|image_pad|>')).not.toContain(id);
  });

  it('refuses a text that the vocabulary itself spells as a special token', async () => {
    const folder = changed({
      'tokenizer.json': (json) => {
        const model = json.model as { vocab: Record<string, number> };
        (json.added_tokens as object[]).push({ id: model.vocab.a, content: 'a', special: true });
      },
    });
    const tokenizer = await loadTokenizer(folder);
    expect(() => tokenizer.encodeText('.a.')).toThrow(/got the special token a/);
  });
});

describe('decode', () => {
  it('writes special tokens or leaves them out', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const end = tokenizer.specialId('<|im_end|>');
    const ids = [...tokenizer.encodeText(" Yes ,  it is n't"), end, ...tokenizer.encodeText('\n')];
    expect(tokenizer.decode(ids)).toBe(" Yes ,  it is n't<|im_end|>\n");
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(" Yes ,  it is n't\n");
    expect(tokenizer.decode(Int32Array.from(ids))).toBe(tokenizer.decode(ids));
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([99_999, end])).toBe('<|im_end|>');
  });
});

describe('splitSpecial', () => {
  it('cuts a template text at its special tokens, the longest first', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    const [start, end] = ['<|im_start|>', '<|im_end|>'].map((token) => tokenizer.specialId(token));
    expect(tokenizer.splitSpecial('<|im_end|>\n<|im_start|>user\n')).toEqual([end, '\n', start, 'user\n']);
    expect(tokenizer.splitSpecial('')).toEqual([]);
    expect(tokenizer.splitSpecial('<|im_<|im_end|>')).toEqual(['<|im_', end]);
  });
});

describe('the files', () => {
  it('name the end token, and the size of the vocabulary counts added tokens', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    expect(tokenizer.eosToken).toBe('<|im_end|>');
    expect(tokenizer.vocabularySize).toBe(Math.max(...tokenizer.specialTokens.values()) + 1);
    expect(tokenizer.template.file).toMatch(/chat_template\.jinja$/);
    expect(tokenizer.template.source).toContain('<|im_start|>');
  });

  it('may keep the template in any of three places', async () => {
    const source = readFileSync(join(tinyFolder, 'chat_template.jinja'), 'utf8');
    const inJson = changed({
      'chat_template.jinja': null,
      'chat_template.json': JSON.stringify({ chat_template: source }),
    });
    expect((await loadTokenizer(inJson)).template).toMatchObject({
      source,
      file: join(inJson, 'chat_template.json'),
    });
    for (const chat_template of [
      source,
      [
        { name: 'tool_use', template: 'x' },
        { name: 'default', template: source },
      ],
    ]) {
      const inConfig = changed({
        'chat_template.jinja': null,
        'tokenizer_config.json': (json) => {
          json.chat_template = chat_template;
        },
      });
      expect((await loadTokenizer(inConfig)).template.source).toBe(source);
    }
    await expect(loadTokenizer(changed({ 'chat_template.jinja': null }))).rejects.toThrow(
      /a chat template expected/,
    );
  });

  it('may name special tokens in older ways', async () => {
    const folder = changed({
      'tokenizer_config.json': JSON.stringify({
        eos_token: { content: '<|im_end|>', special: true },
        additional_special_tokens: ['<|im_start|>'],
        extra_special_tokens: { image_token: '<|image_pad|>' },
        added_tokens_decoder: { '7777': { content: '<|late|>', special: true } },
      }),
    });
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.eosToken).toBe('<|im_end|>');
    expect(tokenizer.specialId('<|late|>')).toBe(7777);
    const bare = changed({
      'tokenizer_config.json': null,
      'special_tokens_map.json': '{"eos_token":"<|im_end|>"}',
    });
    expect((await loadTokenizer(bare)).eosToken).toBe('<|im_end|>');
  });

  it.each<[string, Record<string, Edit>, RegExp]>([
    [
      'no tokenizer.json',
      { 'tokenizer.json': null },
      /tokenizer.json: tokenizer.json expected, got no such file/,
    ],
    [
      'only the slow files',
      { 'tokenizer.json': null, 'vocab.json': '{}', 'merges.txt': '' },
      /got only vocab.json and merges.txt/,
    ],
    ['a cut file', { 'tokenizer.json': '{"model": {' }, /JSON expected/],
    ['a file of another kind', { 'tokenizer.json': '[1]' }, /a JSON object expected/],
    ['no model', { 'tokenizer.json': '{}' }, /"model" expected/],
    ['an unknown model', { 'tokenizer.json': '{"model":{"type":"Odd"}}' }, /cannot be built/],
    [
      'an added token without an id',
      { 'tokenizer.json': '{"model":{},"added_tokens":[{"content":"x"}]}' },
      /its content and its id/,
    ],
    [
      'two ids for one token',
      { 'tokenizer_config.json': '{"added_tokens_decoder":{"1":{"content":"<|im_end|>"}}}' },
      /<\|im_end\|> expected id \d+ as in/,
    ],
    ['a broken template', { 'chat_template.jinja': '{% for %}' }, /the chat template cannot be parsed/],
  ])('with %s are refused', async (_, edits, message) => {
    const loading = loadTokenizer(changed(edits));
    await expect(loading).rejects.toMatchObject({
      code: 'tokenizer',
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, (json: Record<string, unknown>) => void]>([
    [
      'a pre-tokenizer that is a number',
      (json) => Object.assign(json, { pre_tokenizer: { type: 'Sequence', pretokenizers: 1 } }),
    ],
    [
      'a model without merges',
      (json) => Object.assign(json, { model: { type: 'BPE', vocab: { a: 0 }, merges: 7 } }),
    ],
  ])('with %s are refused in words for people', async (_, edit) => {
    const loading = loadTokenizer(changed({ 'tokenizer.json': edit }));
    await expect(loading).rejects.toMatchObject({ code: 'tokenizer' });
    await expect(loading).rejects.not.toThrow(/is not a function|undefined/);
  });

  it('whose fault shows with the first text say so then', async () => {
    const split = { type: 'Split', pattern: { Regex: 'a' }, behavior: {}, invert: false };
    const folder = changed({ 'tokenizer.json': (json) => Object.assign(json, { pre_tokenizer: split }) });
    const { encodeText } = await loadTokenizer(folder);
    expect(() => encodeText('banana')).toThrow(
      /tokenizer\.json: a text expected to become tokens.*not as the format/s,
    );
  });

  it('with a regular expression that never ends are refused when it does not', async () => {
    const split = { type: 'Split', pattern: { Regex: '^(a+)+$' }, behavior: 'Isolated', invert: false };
    const folder = changed({ 'tokenizer.json': (json) => Object.assign(json, { pre_tokenizer: split }) });
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.encodeText('aab').length).toBeGreaterThan(0);
    expect(() => tokenizer.encodeText(`${'a'.repeat(50)}b`)).toThrow(
      /expected to become tokens.*more than \d+ s/s,
    );
  });

  it.each([1e15, -1, 1.5, '7', null])('with the id %s for a word are refused', async (id) => {
    const edit = (json: Record<string, unknown>) => {
      (json.model as { vocab: Record<string, unknown> }).vocab.b = id;
    };
    await expect(loadTokenizer(changed({ 'tokenizer.json': edit }))).rejects.toThrow(
      `whole ids from 0 to 16777215 expected in the vocabulary, got ${JSON.stringify(id)} for "b"`,
    );
  });

  it('that make a text much longer are refused before they do', async () => {
    const twice = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' };
    const steps = (most: number) => ({ type: 'Sequence', normalizers: Array(most).fill(twice) });
    const { encodeText } = await loadTokenizer(
      changed({ 'tokenizer.json': (json) => Object.assign(json, { normalizer: steps(3) }) }),
    );
    expect(encodeText('ab').length).toBeGreaterThan(4);
    const folder = changed({ 'tokenizer.json': (json) => Object.assign(json, { normalizer: steps(30) }) });
    const tokenizer = await loadTokenizer(folder);
    expect(() => tokenizer.encodeText('ab')).toThrow(
      /tokenizer\.json: a text expected to stay within 33554432 characters on its way to tokens, got one of 2 that may/,
    );
  });

  it('that are folders are refused', async () => {
    const folder = changed({ 'chat_template.jinja': null });
    mkdirSync(join(folder, 'chat_template.jinja'));
    await expect(loadTokenizer(folder)).rejects.toMatchObject({
      code: 'tokenizer',
      what: expect.stringContaining('could not be read'),
    });
  });

  it('without a special token that is asked for say which there are', async () => {
    const tokenizer = await tokenizerOf(tinyFolder);
    expect(() => tokenizer.specialId('<|odd|>')).toThrow(
      /special token <\|odd\|> expected, got only .*<\|im_end\|>/,
    );
  });
});

const golden = new URL('../../../shared/golden/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, golden), 'utf8'));

describe.runIf(hasReal && existsSync(golden))('the Qwen2-VL tokenizer (needs ../shared)', () => {
  it('has the published special ids and size', async () => {
    const tokenizer = await tokenizerOf(realFolder);
    expect(tokenizer.specialId('<|im_end|>')).toBe(151645);
    expect(tokenizer.specialId('<|image_pad|>')).toBe(151655);
    expect(tokenizer.specialTokens.size).toBe(14);
    expect(tokenizer.vocabularySize).toBe(151657);
    expect(tokenizer.eosToken).toBe('<|im_end|>');
  });

  it('gives the published ids of every text', async () => {
    const tokenizer = await tokenizerOf(realFolder);
    for (const { name, text, ids, decoded } of read('tokenizer-cases.json')) {
      expect(tokenizer.encodeText(text), name).toEqual(ids);
      expect(tokenizer.decode(ids), name).toBe(decoded);
    }
  });

  it('renders the published conversations', async () => {
    const tokenizer = await tokenizerOf(realFolder);
    for (const { messages, add_generation_prompt, input_ids_prefix } of read('chat-cases.json')) {
      const text = tokenizer.template.render(messages, { addGenerationPrompt: add_generation_prompt });
      const twice = text.replace('<|image_pad|>', '<|image_pad|><|image_pad|>');
      const ids = tokenizer
        .splitSpecial(twice)
        .flatMap((piece) => (typeof piece === 'number' ? [piece] : tokenizer.encodeText(piece)));
      expect(ids.slice(0, input_ids_prefix.length)).toEqual(input_ids_prefix);
      expect(text.endsWith('<|im_start|>assistant\n')).toBe(true);
    }
  });
});
