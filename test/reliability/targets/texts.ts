import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/load.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { encodeExample } from '../../../src/data/encode.ts';
import type { Example } from '../../../src/data/example.ts';
import { loadTokenizer } from '../../../src/data/tokenizer.ts';
import { readDump } from '../../../src/inspect/dump.ts';
import { jsonMutations, textMutations } from '../mutations.ts';
import { holds, type Target } from '../target.ts';
import { asBuffer, fixtures, root } from './files.ts';

const tiny = `${fixtures}/conversations/tiny`;

const conversation: Example = {
  row: 0,
  turns: [
    {
      role: 'user',
      content: [
        { type: 'image', image: { path: 'a.png' } },
        { type: 'text', text: "What's in it? <|im_end|> 17 ﬁ\u0000 𝔘 \n\n  a" },
      ],
    },
    {
      role: 'assistant',
      content: [{ type: 'text', text: 'A polyp, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' }],
    },
  ],
};

async function conversed(folder: string): Promise<void> {
  const tokenizer = await loadTokenizer(folder);
  const imageTokenId = tokenizer.specialTokens.get('<|image_pad|>') ?? -1;
  const options = { tokenizer, imageTokenId, grids: [[1, 4, 4] as const], tokenCount: () => 4 };
  const { ids } = encodeExample(conversation, options);
  holds(
    'ids of the vocabulary',
    ids.every((id) => id >= 0 && id < tokenizer.vocabularySize),
  );
  holds('four image tokens', ids.filter((id) => id === imageTokenId).length === 4);
  holds('text of ids', typeof tokenizer.decode(ids) === 'string');
}

const tokenizerFile = (name: string, file: string, mutations: Target['mutations']): Target => ({
  name,
  mutations,
  async open(folder) {
    cpSync(tiny, folder, { recursive: true });
    return {
      bases: [readFileSync(join(tiny, file))],
      read: async (bytes) => {
        writeFileSync(join(folder, file), bytes);
        await conversed(folder);
      },
    };
  },
});

const templateWords = [
  '{%', '%}', '{{', '}}', '{#', '#}', '{{ messages }}', '{% for m in messages %}', '{% endfor %}', '{% if true %}', '{% endif %}',
  "{{ ''.constructor.constructor('return process')() }}", '{{ messages.__proto__ }}', '{{ self }}', '{{ cycler }}',
  '{% set x = [messages, messages] %}', '{% set ns = namespace(a=1) %}', '{% set ns.a = ns %}', '{{ range(99999) }}', '{{ range(0, 1e9) }}',
  '{{ messages | tojson(indent=9) }}', "{{ 'x' * 99999 }}", "{{ 'x' | indent(99999) }}", '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  "{{ messages[0]['content'] }}", "{{ raise_exception('no') }}", '{% generation %}', '{%-', '-%}', '|', '~', ' in ', ' not ', '((((((', '\u{F5A17}0:0\u{F5A17}',
]; // biome-ignore format: a list of words

const yamlWords = [
  '&a', '*a', '<<: *a', '? ', '!!binary ', '!!js/function ', '---\n', '...\n', '%YAML 1.1\n', '|\n', '>-\n', '{', '}', '[', ']', ': ', '- ',
  '\t', '__proto__: { polluted: yes }\n', 'constructor: { prototype: { polluted: yes } }\n', 'train: { lr: 1 }\n', '.nan', '.inf', '0x7fffffffffffffffff',
  '1e999', '"\\ud800"', 'data: [a, b]\n', 'lora: { targetModules: "(a+)+$" }\n',
]; // biome-ignore format: a list of words

const config = {
  model: './model',
  data: { train: 'train.jsonl', validation: 'val.jsonl', onBadRow: 'skip', fields: { image: 'scan' } },
  image: { maxPixels: 200_704 },
  lora: { rank: 8, targetModules: ['q_proj', 'v_proj'] },
  train: { epochs: 2, learningRate: 1e-4, warmupRatio: 0.1, schedule: 'cosine' },
  output: 'runs/first',
};

const configFile = (
  name: string,
  extension: string,
  mutations: Target['mutations'],
  bases: () => Buffer[],
): Target => ({
  name,
  mutations,
  async open(folder) {
    const file = join(folder, `config.${extension}`);
    return {
      bases: bases(),
      read: async (bytes) => {
        writeFileSync(file, bytes);
        const loaded = await loadConfig(file);
        holds('a config that is one', configSchema.safeParse(loaded.config).success);
        for (const path of [loaded.config.output, loaded.config.data.train])
          holds('whole paths', path.startsWith('/'));
      },
    };
  },
});

const dumps: Target = {
  name: 'dumps of labels',
  mutations: jsonMutations,
  open: async (folder) => ({
    bases: [
      asBuffer({
        input_ids: [[5, 6, 7, 0]],
        labels: [[-100, -100, 7, -100]],
        attention_mask: [[1, 1, 1, 0]],
      }),
      asBuffer([{ input_ids: [5, 6, 7], labels: [-100, -100, 7] }]),
    ],
    read: async (bytes) => {
      const file = join(folder, 'dump.json');
      writeFileSync(file, bytes);
      for (const { ids, trained } of await readDump(file, { vocabularySize: 100, paddingId: 0 })) {
        holds('a mark for each id', ids.length === trained.length && ids.every((id) => id < 100));
      }
    },
  }),
};

export const textTargets: Target[] = [
  tokenizerFile('tokenizer.json', 'tokenizer.json', jsonMutations),
  tokenizerFile('tokenizer_config.json', 'tokenizer_config.json', jsonMutations),
  tokenizerFile('chat templates', 'chat_template.jinja', textMutations(templateWords)),
  configFile('configs in YAML', 'yaml', textMutations(yamlWords), () => [
    readFileSync(`${root}examples/first.yaml`),
    readFileSync(`${root}examples/kvasir-vqa.yaml`),
    readFileSync(`${root}demo/demo.yaml`),
  ]),
  configFile('configs in JSON', 'json', jsonMutations, () => [asBuffer(config)]),
  dumps,
];
