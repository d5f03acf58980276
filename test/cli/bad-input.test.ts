/** What the hostile and the clumsy write, from the config to the pictures: one clear error each, and whole folders. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/cli/failure.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { TrainEvent } from '../../src/train/events.ts';
import { run } from '../../src/train/run.ts';
import { inProcess, tinyRun } from '../train/tiny-run.ts';

/** The command without its threads, engine and all. */
async function train(folder: string, set: string[] = []): Promise<TrainEvent[]> {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  const events: TrainEvent[] = [];
  for await (const event of run(config, { ...inProcess, overwrite: true })) events.push(event);
  return events;
}

/** What a person reads on stderr where the run is refused. */
async function refusal(folder: string, set: string[] = []): Promise<string> {
  const error = await train(folder, set).then(
    () => undefined,
    (error) => error,
  );
  return describeFailure(error, false);
}

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** Rewrites a safetensors file with another header, or header length, around the same tensor bytes. */
function rewrite(file: string, change: (header: Header, bytes: Buffer) => void, length?: bigint): void {
  const whole = readFileSync(file);
  const end = 8 + Number(whole.readBigUInt64LE(0));
  const header = JSON.parse(whole.toString('utf8', 8, end));
  const bytes = Buffer.from(whole.subarray(end));
  change(header, bytes);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(text.length));
  writeFileSync(file, Buffer.concat([size, text, bytes]));
}

const tensorNamed = (header: Header, end: string) =>
  Object.keys(header).find((name) => name.endsWith(end)) as string;

const q = 'layers.0.self_attn.q_proj.weight';

function rewriteJson(file: string, change: (json: Record<string, unknown>) => void): void {
  const json = JSON.parse(readFileSync(file, 'utf8'));
  change(json);
  writeFileSync(file, JSON.stringify(json));
}

describe('a broken checkpoint is refused by file and tensor, and leaves no run folder:', () => {
  const weights = 'model/model.safetensors';
  const header = (change: (header: Header) => void, length?: bigint) => (folder: string) =>
    rewrite(join(folder, weights), change, length);
  const cases: [string, (folder: string) => void, RegExp][] = [
    [
      'a misshaped tensor',
      header((tensors) => {
        tensors[tensorNamed(tensors, q)].shape.reverse().push(1);
      }),
      /model\.safetensors, tensor .*q_proj\.weight: expected \[\d+, \d+\], got \[\d+, \d+, 1\]/,
    ],
    [
      'an extra tensor',
      header((tensors) => {
        const end = Math.max(...Object.values(tensors).map(({ data_offsets }) => data_offsets?.[1] ?? 0));
        tensors['model.extra.weight'] = { dtype: 'F32', shape: [0], data_offsets: [end, end] };
      }),
      /tensor model\..*extra\.weight: is extra/,
    ],
    [
      'overlapping tensors',
      header((tensors) => {
        const { data_offsets } = tensors[tensorNamed(tensors, q)];
        data_offsets[0] -= 4;
        data_offsets[1] -= 4;
      }),
      /tensor .*: data_offsets begin expected \d+, got \d+: it overlaps the tensor before it/,
    ],
    [
      'a tensor past the end',
      (folder) =>
        writeFileSync(join(folder, weights), readFileSync(join(folder, weights)).subarray(0, 20_000)),
      /tensor .*: bytes \d+ to \d+ lie past the end of the file \(20000 bytes\)/,
    ],
    ['a header beyond all bounds', header(() => {}, 2n ** 62n), /header length expected at most \d+ bytes/],
    [
      'pickled weights alone',
      (folder) => renameSync(join(folder, weights), join(folder, 'model/pytorch_model.bin')),
      /pickled \.bin files only/,
    ],
    [
      'another architecture',
      (folder) =>
        rewriteJson(join(folder, 'model/config.json'), (json) => {
          json.model_type = 'qwen2_5_vl';
        }),
      /config\.json: model_type expected "qwen2_vl", got "qwen2_5_vl"/,
    ],
    [
      'a tokenizer of another model',
      (folder) =>
        rewriteJson(join(folder, 'model/config.json'), (json) => {
          json.image_token_id = 431;
        }),
      /<\|image_pad\|> expected id 431 \(image_token_id of config\.json\), got 425/,
    ],
    ...['config.json', 'tokenizer.json', 'preprocessor_config.json', 'chat_template.jinja'].map(
      (name): [string, (folder: string) => void, RegExp] => [
        `no ${name}`,
        (folder) => {
          rmSync(join(folder, 'model', name));
          // The tokenizer's config may bring the template along.
          rewriteJson(join(folder, 'model/tokenizer_config.json'), (json) => delete json.chat_template);
        },
        new RegExp(`${name.replace('.', '\\.')}.*(no such file|found none|got neither|got none)`),
      ],
    ),
    [
      'no folder at all',
      (folder) => rmSync(join(folder, 'model'), { recursive: true }),
      /model expected a folder .* found no such folder.*lorikeet pull ORG\/NAME/,
    ],
  ];

  it.each(cases)('%s', async (_, spoil, expected) => {
    const folder = tinyRun();
    spoil(folder);
    const told = await refusal(folder);
    expect(told).toMatch(expected);
    expect(told).toMatch(/^Error: [^\n]*\n$/);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });
});

it('trains from the folder of links that the hub cache is', async () => {
  const folder = tinyRun();
  const model = join(folder, 'model');
  const cache = join(folder, 'models--maker--tiny');
  mkdirSync(join(cache, 'blobs'), { recursive: true });
  mkdirSync(join(cache, 'snapshots', 'f00'), { recursive: true });
  for (const [i, name] of readdirSync(model).entries()) {
    renameSync(join(model, name), join(cache, 'blobs', `blob${i}`));
    symlinkSync(`../../blobs/blob${i}`, join(cache, 'snapshots', 'f00', name));
  }
  const events = await train(folder, ['model=models--maker--tiny/snapshots/f00', 'train.maxSteps=1']);
  expect(events.at(-1)).toMatchObject({ type: 'finish', status: 'finished' });
  expect(await refusal(folder, ['model=models--maker--tiny'])).toMatch(
    /Name its snapshot: .*snapshots.f00\./,
  );
}, 60_000);

describe('a weight of NaN', () => {
  it.each([
    ['the scoring before step 1', {}, /val\.jsonl, before step 1, row 0: the loss expected a finite number/],
    [
      'the first step',
      { evaluateStart: false },
      /train\.jsonl, step 1, row \d: the loss expected a finite number/,
    ],
  ])(
    'stops %s with file, row and a whole run folder',
    async (_, train, place) => {
      const folder = tinyRun({ train });
      rewrite(join(folder, 'model/model.safetensors'), (header, bytes) => {
        bytes.writeFloatLE(Number.NaN, header[tensorNamed(header, q)].data_offsets[0]);
      });
      const told = await refusal(folder);
      expect(told).toMatch(place);
      expect(told).toMatch(/got NaN\. .* values of the checkpoint/);
      const record = JSON.parse(readFileSync(join(folder, 'run/run.json'), 'utf8'));
      expect(record).toMatchObject({ status: 'failed', error: expect.stringContaining('got NaN') });
      expect(readFileSync(join(folder, 'run/metrics.jsonl'), 'utf8')).toBe('');
      expect(existsSync(join(folder, 'run/adapter'))).toBe(false);
    },
    60_000,
  );
});

describe('an adapter to go on from', () => {
  it('is refused where it is of another model, another method, or disagrees with lora', async () => {
    const folder = tinyRun();
    await train(folder, ['train.maxSteps=1']);
    const copy = (name: string) => {
      mkdirSync(join(folder, name));
      for (const file of readdirSync(join(folder, 'run/adapter'))) {
        copyFileSync(join(folder, 'run/adapter', file), join(folder, name, file));
      }
      return join(folder, name);
    };
    const other = copy('other');
    rewrite(join(other, 'adapter_model.safetensors'), (header) => {
      for (const name of Object.keys(header).filter((key) => key.includes('.layers.1.'))) {
        header[name.replace('.layers.1.', '.layers.7.')] = header[name];
        delete header[name];
      }
    });
    rewriteJson(join(copy('dora'), 'adapter_config.json'), (json) => {
      json.use_dora = true;
    });
    copy('good');
    const output = 'output=second';
    expect(await refusal(folder, ['adapter=other', output])).toMatch(
      /other.adapter_model\.safetensors: \d+ tensors belong to no linear layer .*layers\.7.* of another model/,
    );
    expect(await refusal(folder, ['adapter=dora', output])).toMatch(/use_dora expected none, got true/);
    expect(await refusal(folder, ['adapter=good', 'lora.rank=8', output])).toMatch(
      /good: lora disagrees with the adapter: rank 8 instead of 16\./,
    );
    const agreeing = ['adapter=good', 'lora.rank=16', 'lora.alpha=32', 'train.maxSteps=1', output];
    expect((await train(folder, agreeing)).at(-1)).toMatchObject({ status: 'finished' });
  }, 60_000);
});

describe('a row', () => {
  const good = { image: 'a.png', question: 'q', answer: 'a' };
  it.each([
    ['from the network', { ...good, image: 'https://x.org/a.png' }, /jsonl:2, row 1: .*nothing is fetched/],
    ['of a missing picture', { ...good, image: 'c.png' }, /row 1: image "c\.png" expected at .*c\.png/],
    [
      'without an answer',
      { ...good, answer: null },
      /row 1: column answer expected text, got nothing\. Fill/,
    ],
    [
      'with an empty answer',
      { ...good, answer: ' ' },
      /row 1: turn 1 \(assistant\) .* nothing but white space/,
    ],
    ['with many answers', { ...good, answer: ['a', 'b'] }, /got a list of 2\. Write one text/],
    [
      'of truth values',
      { ...good, answer: true },
      /column answer expected text, got true\. Write it in quotes/,
    ],
    [
      'of another form',
      { messages: [{ role: 'user', content: 'x' }] },
      /row with messages\. All rows .* one form/,
    ],
    ['that is no object', ['a'], /a row expected as an object with named columns, got a list of 1/],
  ])('%s is refused by file, line and remedy', async (_, row, expected) => {
    const told = await refusal(tinyRun({ rows: [good, row] }));
    expect(told).toMatch(expected);
    expect(told).toMatch(/train\.jsonl:2, row 1: /);
  });

  it('may count in numbers, and spell special tokens as text', async () => {
    const rows = [
      { ...good, answer: 3 },
      { ...good, question: '<|im_end|>\n<|im_start|>assistant\n<|image_pad|>', answer: '<|im_end|>yes' },
    ];
    const events = await train(tinyRun({ rows }), ['train.maxSteps=1', 'data.validation=null']);
    expect(events.at(-1)).toMatchObject({ type: 'finish', status: 'finished' });
  }, 60_000);
});

describe('the command line', () => {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const lorikeet = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

  it('exits 1 with the problems of a config on stderr, each with its line, and no stack', () => {
    const folder = tinyRun();
    const file = join(folder, 'wrong.yaml');
    writeFileSync(
      file,
      'model: model\ndata: { train: t }\ntrain:\n  batchSize: 4\n  epochs: 1.5\noutput: run\n',
    );
    const { status, stdout, stderr } = lorikeet('train', file);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('wrong.yaml:4: train.batchSize is not a word of the config. Use train.gradient');
    expect(stderr).toContain('wrong.yaml:5: train.epochs expected a whole number, got 1.5');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('exits 1 with its usage where it is told nothing, or something unknown', () => {
    expect(lorikeet()).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('Usage:') });
    const unknown = lorikeet('trian', 'x.yaml');
    expect(unknown).toMatchObject({ status: 1, stdout: '' });
    expect(unknown.stderr).toContain('(Did you mean train?)');
  });
});
