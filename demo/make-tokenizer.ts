/**
 * Writes the tokenizer of the demo's base: 256 bytes, merges learned from the demo's own texts, and the
 * special tokens that Qwen2-VL's chat and vision need.
 *
 *     npx jiti demo/make-tokenizer.ts [demo/base]
 */
import { learnMerges } from '../tiny/bpe.ts';
import { makeTokenizer, specialTokens, writeTokenizer } from '../tiny/tokenizer.ts';
import { everyText } from './questions.ts';

const MERGES = 376;

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

/** The two files of the tokenizer, as objects. */
export function demoTokenizer() {
  // Twice, because these words stand in every conversation and a pair seen once is not merged.
  const frame = [SYSTEM, 'system', 'user', 'assistant'];
  return makeTokenizer(learnMerges([...everyText(), ...frame, ...frame], MERGES), chatTemplate);
}

if (import.meta.url === new URL(process.argv[1], 'file:').href) {
  const folder = process.argv[2] ?? 'demo/base';
  const files = demoTokenizer();
  writeTokenizer(folder, files);
  const { vocab, merges } = files.tokenizer.model;
  const size = Object.keys(vocab).length + specialTokens.length;
  console.log(`${size} tokens, ${merges.length} merges, in ${folder}`);
}
