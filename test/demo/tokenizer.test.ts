import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { demoTokenizer } from '../../demo/make-tokenizer.ts';
import { everyText } from '../../demo/questions.ts';
import { byteCharacters } from '../../tiny/bpe.ts';
import { specialTokens } from '../../tiny/tokenizer.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../demo/base/${name}`, import.meta.url), 'utf8'));
const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
const encode = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids;

describe('the committed tokenizer', () => {
  it('is what the script makes', () => {
    const made = demoTokenizer();
    expect(read('tokenizer.json')).toEqual(JSON.parse(JSON.stringify(made.tokenizer)));
    expect(read('tokenizer_config.json')).toEqual(JSON.parse(JSON.stringify(made.config)));
  });

  it('returns every text, its own and foreign ones', () => {
    for (const text of [...everyText(), 'Ünïcode 漢字 😀\n\n\tx  y 123', '\u0000\u007f'])
      expect(tokenizer.decode(encode(text))).toBe(text);
    expect(new Set(byteCharacters).size).toBe(256);
  });

  it('spends one token on each word that the demo often says', () => {
    for (const word of ['polyp', 'instrument', 'image', 'white']) expect(encode(` ${word}`)).toHaveLength(1);
  });

  it('agrees with config.json about the special tokens and the size of the vocabulary', () => {
    const config = read('config.json');
    const id = (token: (typeof specialTokens)[number]) => encode(token)[0];
    expect(specialTokens.map((token) => encode(token).length)).toEqual(specialTokens.map(() => 1));
    expect(config).toMatchObject({
      bos_token_id: id('<|endoftext|>'),
      eos_token_id: id('<|im_end|>'),
      vision_start_token_id: id('<|vision_start|>'),
      vision_end_token_id: id('<|vision_end|>'),
      vision_token_id: id('<|vision_pad|>'),
      image_token_id: id('<|image_pad|>'),
      video_token_id: id('<|video_pad|>'),
    });
    expect(id('<|video_pad|>')).toBeLessThan(config.vocab_size);
  });

  it('writes conversations as ChatML, with a default system turn and one placeholder for a picture', () => {
    const template = new Template(read('tokenizer_config.json').chat_template);
    const messages = [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Where?' }] },
      { role: 'assistant', content: 'left' },
    ];
    expect(template.render({ messages })).toBe(
      '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' +
        '<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Where?<|im_end|>\n' +
        '<|im_start|>assistant\nleft<|im_end|>\n',
    );
    const system = { role: 'system', content: 'Be brief.' };
    expect(template.render({ messages: [system, messages[0]], add_generation_prompt: true })).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n' +
        '<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Where?<|im_end|>\n<|im_start|>assistant\n',
    );
  });
});
