/** The files of a small byte-level tokenizer: 256 bytes, merges, and the special tokens of Qwen2-VL's chat and vision. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteCharacters, type Merge } from './bpe.ts';

export const specialTokens = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|vision_start|>',
  '<|vision_end|>',
  '<|vision_pad|>',
  '<|image_pad|>',
  '<|video_pad|>',
] as const;

/** How Qwen2 cuts text before merges, in the form of the tokenizers library. */
const pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };

export interface TokenizerFiles {
  tokenizer: ReturnType<typeof tokenizerJson>;
  config: ReturnType<typeof tokenizerConfig>;
}

/** tokenizer.json and tokenizer_config.json as objects. Ids: bytes, merges in their order, special tokens. */
export function makeTokenizer(merges: Merge[], chatTemplate: string): TokenizerFiles {
  // The bytes come in the order of their characters' code points, as in GPT-2's vocabulary.
  const tokens = [...byteCharacters].sort(byCodeUnits).concat(merges.map((pair) => pair.join('')));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const added = specialTokens.map((content, i) => ({ id: tokens.length + i, content, ...flags }));
  return {
    tokenizer: tokenizerJson(tokens, merges, added),
    config: tokenizerConfig(
      Object.fromEntries(added.map(({ id, content }) => [id, { content, ...flags }])),
      chatTemplate,
    ),
  };
}

function tokenizerJson(tokens: string[], merges: Merge[], added: object[]) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

function tokenizerConfig(addedTokensDecoder: Record<string, object>, chatTemplate: string) {
  return {
    add_prefix_space: false,
    added_tokens_decoder: addedTokensDecoder,
    additional_special_tokens: specialTokens.slice(1),
    bos_token: null,
    chat_template: chatTemplate,
    clean_up_tokenization_spaces: false,
    eos_token: '<|im_end|>',
    errors: 'replace',
    model_max_length: 2048,
    pad_token: '<|endoftext|>',
    split_special_tokens: false,
    tokenizer_class: 'Qwen2Tokenizer',
    unk_token: null,
  };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** JSON with each merge on one line, as the project's formatter leaves it. */
function pretty(value: object): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(/\[\n\s+("[^\n]*),\n\s+("[^\n]*)\n\s+\]/g, '[$1, $2]')}\n`;
}

export function writeTokenizer(folder: string, { tokenizer, config }: TokenizerFiles): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tokenizer.json'), pretty(tokenizer));
  writeFileSync(join(folder, 'tokenizer_config.json'), pretty(config));
}
