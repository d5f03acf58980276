/**
 * Writes the tokenizer of the demo's base: 256 bytes, merges learned from the demo's own texts, and the
 * special tokens that Qwen2-VL's chat and vision need.
 *
 *     npx jiti demo/make-tokenizer.ts [demo/base]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteCharacters, learnMerges } from './bpe.ts';
import { everyText } from './questions.ts';

const MERGES = 376;

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

const SYSTEM = 'You are a helpful assistant.';

/** ChatML as Qwen2-VL speaks it: a default system turn, pictures and videos as one placeholder each. */
const chatTemplate = [
  "{%- if messages and messages[0]['role'] != 'system' -%}",
  `{{- '<|im_start|>system\\n${SYSTEM}<|im_end|>\\n' -}}`,
  '{%- endif -%}',
  '{%- for turn in messages -%}',
  "{{- '<|im_start|>' + turn['role'] + '\\n' -}}",
  "{%- if turn['content'] is string -%}",
  "{{- turn['content'] -}}",
  '{%- else -%}',
  "{%- for part in turn['content'] -%}",
  "{%- if part['type'] == 'image' or 'image' in part or 'image_url' in part -%}",
  "{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}",
  "{%- elif part['type'] == 'video' or 'video' in part -%}",
  "{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}",
  "{%- elif 'text' in part -%}",
  "{{- part['text'] -}}",
  '{%- endif -%}',
  '{%- endfor -%}',
  '{%- endif -%}',
  "{{- '<|im_end|>\\n' -}}",
  '{%- endfor -%}',
  '{%- if add_generation_prompt -%}',
  "{{- '<|im_start|>assistant\\n' -}}",
  '{%- endif -%}',
].join('');

/** How Qwen2 cuts text before merges, in the form of the tokenizers library. */
const pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };

/** The two files of the tokenizer, as objects. */
export function makeTokenizer() {
  // Twice, because these words stand in every conversation and a pair seen once is not merged.
  const frame = [SYSTEM, 'system', 'user', 'assistant'];
  const merges = learnMerges([...everyText(), ...frame, ...frame], MERGES);
  // The bytes come in the order of their characters' code points, as in GPT-2's vocabulary.
  const tokens = [...byteCharacters].sort(byCodeUnits).concat(merges.map((pair) => pair.join('')));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const added = specialTokens.map((content, i) => ({ id: tokens.length + i, content, ...flags }));
  const tokenizer = {
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
  const config = {
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(added.map(({ id, content }) => [id, { content, ...flags }])),
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
  return { tokenizer, config };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** JSON with each merge on one line, as the project's formatter leaves it. */
function pretty(value: object): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(/\[\n\s+("[^\n]*),\n\s+("[^\n]*)\n\s+\]/g, '[$1, $2]')}\n`;
}

export function writeTokenizer(folder: string): void {
  const { tokenizer, config } = makeTokenizer();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tokenizer.json'), pretty(tokenizer));
  writeFileSync(join(folder, 'tokenizer_config.json'), pretty(config));
  const size = Object.keys(tokenizer.model.vocab).length + specialTokens.length;
  console.log(`${size} tokens, ${tokenizer.model.merges.length} merges, in ${folder}`);
}

if (import.meta.url === new URL(process.argv[1], 'file:').href)
  writeTokenizer(process.argv[2] ?? 'demo/base');
