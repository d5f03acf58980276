/** The tokenizer of the example: one token for each word that easy-VQA asks or answers, bytes for any other text. */
import { learnMerges } from '../../tiny/bpe.ts';
import { makeTokenizer } from '../../tiny/tokenizer.ts';

export const shapes = ['rectangle', 'circle', 'triangle'];
export const colours = ['teal', 'black', 'green', 'blue', 'gray', 'yellow', 'red', 'brown'];
const first = ['what', 'is', 'does'];
const later = ['a', 'color', 'contain', 'image', 'in', 'no', 'not', 'of', 'present', 'shape', 'the', 'there'];

/** As short as can be: nobody speaks but a user and the assistant, in turns, so no turn says whose it is. */
const chatTemplate = [
  '{%- for turn in messages -%}',
  "{{- '<|im_start|>' -}}",
  "{%- if turn['content'] is string -%}",
  "{{- turn['content'] -}}",
  '{%- else -%}',
  "{%- for part in turn['content'] -%}",
  "{%- if part['type'] == 'image' -%}",
  "{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}",
  '{%- else -%}',
  "{{- part['text'] -}}",
  '{%- endif -%}',
  '{%- endfor -%}',
  '{%- endif -%}',
  "{{- '<|im_end|>' -}}",
  '{%- endfor -%}',
  '{%- if add_generation_prompt -%}',
  "{{- '<|im_start|>' -}}",
  '{%- endif -%}',
].join('');

/** Words begin a text, or follow a space. */
export function easyVqaTokenizer() {
  const named = [...shapes, ...colours];
  const texts = [
    ...first,
    ...named,
    'yes',
    'no',
    ...[...first, ...later, ...named].map((word) => ` ${word}`),
  ];
  // Twice, because a pair seen once is not merged; all of them, however many merges that takes.
  return makeTokenizer(learnMerges([...texts, ...texts], Number.POSITIVE_INFINITY), chatTemplate);
}
