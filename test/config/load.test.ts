import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesOf } from '../../src/config/byte-size.ts';
import { defineConfig } from '../../src/config/define.ts';
import { loadConfig, resolveConfig } from '../../src/config/load.ts';
import { decoderLinears } from '../../src/config/schema.ts';
import { LorikeetError } from '../../src/errors.ts';

let dir: string;
let count = 0;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'config-'));
});

async function file(text: string, extension = '.yaml'): Promise<string> {
  const name = path.join(dir, `case-${count++}${extension}`);
  await writeFile(name, text);
  return name;
}

const smallest = 'model: ./base\ndata: { train: train.jsonl }\noutput: runs/first\n';

const load = async (text: string, set?: string[]) => loadConfig(await file(text), { set });

async function problem(text: string, set?: string[], extension?: string): Promise<LorikeetError> {
  const name = await file(text, extension);
  const error: unknown = await loadConfig(name, { set }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LorikeetError);
  expect((error as LorikeetError).code).toBe('config');
  return error as LorikeetError;
}

describe('a config', () => {
  it.each([
    ['cache: f16', { precision: 'f16', memory: '1GB', disk: '20GB' }],
    ['cache: off', { precision: 'f32', memory: 'off', disk: 'off' }],
    ['cache: { memory: 2GB }', { precision: 'f32', memory: '2GB', disk: '20GB' }],
  ])('reads `%s`', async (line, cache) => {
    expect((await load(`${smallest}${line}\n`)).config.cache).toEqual(cache);
    const [word, value] = line.split(/: (.*)/);
    const { config, decisions } = await load(smallest, [`${word}=${value}`]);
    expect(config.cache).toEqual(cache);
    const changed = Object.keys(cache).filter((key) =>
      decisions.some((d) => d.key === `cache.${key}` && d.from === 'command line'),
    );
    expect(changed.length).toBeGreaterThan(0);
  });

  it('lets the command line change a word of a section that is written short', async () => {
    const set = ['cache.disk=off', 'cache.folder=kept'];
    const { config } = await load(`${smallest}cache: f16\n`, set);
    expect((await load(smallest, ['cache=f16', ...set])).config.cache).toEqual(config.cache);
    expect(config.cache).toEqual({
      precision: 'f16',
      memory: '1GB',
      disk: 'off',
      folder: path.join(dir, 'kept'),
    });
  });

  it.each([
    ['cache: on', 'cache expected a section of words, got the text "on"'],
    [
      'cache: { memory: much }',
      'cache.memory expected a size such as 4GB or 500MB, or off, got the text "much"',
    ],
    ['cache: { disk: -1 }', 'cache.disk expected a size such as 4GB or 500MB, or off, got -1'],
    ['cache: { precision: bf16 }', 'cache.precision expected one of f32, f16, got the text "bf16"'],
  ])('refuses `%s` with its line', async (line, message) => {
    const error = await load(`${smallest}${line}\n`).catch((error) => error);
    expect(error.message).toContain(message);
    expect(error.place.line).toBe(smallest.split('\n').length);
  });

  it('needs three words; everything else has the published default', async () => {
    const { config, method, loraGiven } = await load(smallest);
    expect(config).toEqual({
      model: path.join(dir, 'base'),
      data: { train: path.join(dir, 'train.jsonl'), outside: 'refuse', maxLength: 2048, onBadRow: 'stop' },
      image: { sixteenBit: 'clip' },
      train: {
        epochs: 3,
        learningRate: 5e-6,
        weightDecay: 0.01,
        schedule: 'linear',
        warmupSteps: 0,
        gradientAccumulation: 16,
        keep: 2,
        maxGradNorm: 1,
        onNotFinite: 'stop',
        explosion: 10,
        onExplosion: 'warn',
        onStuck: 'warn',
        shuffle: true,
        seed: 42,
        evaluateEvery: 50,
        evaluateStart: true,
        gapRows: 64,
        evaluateAnswers: 0,
        bestBy: 'loss',
        recompute: true,
      },
      pack: { shareImages: true, maxTokens: 1024, maxBranches: 8, order: 'groups' },
      cache: { precision: 'f32', memory: '1GB', disk: '20GB' },
      output: path.join(dir, 'runs/first'),
    });
    expect([method, loraGiven]).toEqual(['lora', undefined]);
  });

  it('says where each word came from', async () => {
    const { decisions } = await load(`${smallest}train: { epochs: 2, seed: 7 }\n`, [
      'train.seed=8',
      'lora.rank=4',
    ]);
    const from = Object.fromEntries(decisions.map(({ key, value, from }) => [key, [value, from]]));
    expect(from).toMatchObject({
      'train.epochs': [2, 'file'],
      'train.seed': [8, 'command line'],
      'train.learningRate': [5e-6, 'default'],
      'lora.rank': [4, 'command line'],
      'lora.alpha': [32, 'default'],
      'lora.targetModules': [decoderLinears, 'default'],
      'data.train': [path.join(dir, 'train.jsonl'), 'file'],
    });
  });

  it('tells a lora section from none', async () => {
    const none = await load(smallest);
    expect(none.config.lora).toBeUndefined();
    expect(none.decisions.find(({ key }) => key === 'lora.rank')).toMatchObject({
      value: 16,
      from: 'default',
    });
    const beside = await load(`${smallest}adapter: a\n`);
    expect(beside.decisions.some(({ key }) => key.startsWith('lora.'))).toBe(false);
    const given = await load(`${smallest}adapter: a\nlora: { rank: 8 }\n`);
    expect(given.loraGiven).toEqual({ rank: 8 });
    expect(given.config.lora).toMatchObject({ rank: 8, alpha: 32 });
    expect((await load(`${smallest}lora: {}\n`)).config.lora).toMatchObject({ rank: 16 });
  });

  it('takes module names as a list, as a regex and as all-linear', async () => {
    const of = async (value: string) =>
      (await load(`${smallest}lora: { targetModules: ${value} }\n`)).config.lora;
    expect((await of('[q_proj, qkv]'))!.targetModules).toEqual(['q_proj', 'qkv']);
    expect((await of("'.*\\.q_proj'"))!.targetModules).toBe('.*\\.q_proj');
    expect((await of('all-linear'))!.targetModules).toBe('all-linear');
  });

  it('trains whole parameters where it has a full section', async () => {
    const { config, method, decisions } = await load(`${smallest}full: {}\n`);
    expect([method, config.full]).toEqual(['full', { parameters: 'all' }]);
    expect(decisions.some(({ key }) => key.startsWith('lora.'))).toBe(false);
  });

  it.each(['5e-6', '1e-4', '1E-4', '0.0001', '.5', '1'])('reads the rate %s as a number', async (rate) => {
    const { config } = await load(`${smallest}train: { learningRate: ${rate} }\n`);
    expect(config.train.learningRate).toBe(Number(rate));
  });

  it.each([
    ['12GB', 12e9],
    ['800 MiB', 800 * 2 ** 20],
    ['1.5gb', 1.5e9],
    ['3000000000', 3e9],
  ])('reads the memory %s as so many bytes', async (memory, bytes) => {
    const { config } = await load(`${smallest}memory: ${memory}\n`);
    expect(bytesOf(config.memory)).toBe(bytes);
  });

  it.each(['0', 'off', 'lots', '12 G', '-3GB', '[1GB]', '1e3000GB'])(
    'refuses the memory %s',
    async (memory) => {
      const { message } = await problem(`${smallest}memory: ${memory}\n`);
      expect(message).toMatch(/:4: memory expected a size such as 12GB or 800MiB, got /);
    },
  );

  it('keeps absolute paths and reads aliases', async () => {
    const { config } = await load('model: /m\ndata: { train: &t /t.jsonl, validation: *t }\noutput: /o\n');
    expect([config.model, config.data.validation]).toEqual(['/m', '/t.jsonl']);
  });
});

describe('--set', () => {
  it('reads scalars, lists and sentences', async () => {
    const { config } = await load(`${smallest}train: { maxSteps: 5 }\n`, [
      'train.learningRate=1e-4',
      'train.shuffle=false',
      'lora.targetModules=[q_proj, v_proj]',
      'data.system=Answer: yes or no',
      'train.maxSteps=null',
      'output=other',
      'train.epochs=1',
      'train.epochs=2',
      'lora.rank=8',
    ]);
    expect(config.train).toMatchObject({ learningRate: 1e-4, shuffle: false, epochs: 2 });
    expect(config.train.maxSteps).toBeUndefined();
    expect(config.lora).toMatchObject({ rank: 8, targetModules: ['q_proj', 'v_proj'] });
    expect(config.data.system).toBe('Answer: yes or no');
    expect(config.output).toBe(path.join(dir, 'other'));
  });

  it.each([
    [['train.epochs'], '--set expected key=value, got "train.epochs"'],
    [['=1'], '--set expected key=value'],
    [['__proto__.x=1'], '--set expected key=value'],
    [['train.epochs=abc'], '--set train.epochs=abc: train.epochs expected a number, got the text "abc"'],
    [['train.epochs=0'], '--set train.epochs=0: train.epochs expected at least 1, got 0'],
    [
      ['batchSize=4'],
      '--set batchSize=4: batchSize is not a word of the config. Use train.gradientAccumulation',
    ],
    [['train=3'], '--set train=3: train expected a section of words, got 3'],
    [['model.x=3'], '--set model.x=3: model is not a section'],
    [['lora.targetModules=[q_proj'], '--set value is not valid YAML'],
    [['model=null'], 'model is missing'],
  ])('refuses %j', async (set, words) => {
    expect((await problem(smallest, set)).message).toContain(words);
  });
});

describe('problems', () => {
  it('are told with file, line, what was found and what was meant', async () => {
    const error = await problem(`${smallest}train:\n  epochs: 3\n  learning_rate: 1e-4\n`);
    expect(error.place).toMatchObject({ line: 6 });
    expect(error.message).toMatch(
      /case-\d+\.yaml:6: train\.learning_rate is not a word of the config\. Use train\.learningRate\.$/,
    );
  });

  it('are told all at once, in the order of the file', async () => {
    const error = await problem(
      'modle: ./base\ndata:\n  train: 3\ntrain:\n  epochs: two\n  bacth: 1\noutput: x\n',
    );
    expect(error.what).toMatch(/^has 5 problems:/);
    const lines = error.message.split('\n').slice(1);
    expect(lines[0]).toMatch(
      /:1: model is missing\. It is needed: folder in Hugging Face layout, or the id of a pulled model\.$/,
    );
    expect(lines[1]).toMatch(/:1: modle is not a word of the config\. Use model\.$/);
    expect(lines[2]).toMatch(/:3: data\.train expected text, got 3\.$/);
    expect(lines[3]).toMatch(/:5: train\.epochs expected a number, got the text "two"\.$/);
    expect(lines[4]).toMatch(/:6: train\.bacth is not a word of the config\. train knows: epochs, /);
  });

  const refused: [string, string][] = [
    ['train: { epochs: 0 }', 'train.epochs expected at least 1, got 0'],
    ['train: { epochs: 1.5 }', 'train.epochs expected a whole number, got 1.5'],
    ['train: { epochs: -3 }', 'train.epochs expected at least 1, got -3'],
    ['train: { learningRate: 0 }', 'train.learningRate expected a number above 0, got 0'],
    ['train: { learningRate: .inf }', 'train.learningRate expected a number, got Infinity'],
    ['train: { learningRate: .nan }', 'train.learningRate expected a number, got NaN'],
    ['train: { learningRate: "1e-4" }', 'got the text "1e-4". Write it without quotes: 1e-4.'],
    ['train: { shuffle: yes }', 'train.shuffle expected true or false, got the text "yes". YAML 1.2 knows'],
    [
      'train: { schedule: cosin }',
      'train.schedule expected one of linear, cosine, constant, got the text "cosin"',
    ],
    ['train: { seed: -1 }', 'train.seed expected at least 0, got -1'],
    ['train: { warmupRatio: 1 }', 'train.warmupRatio expected a number below 1, got 1'],
    ['train: { warmupRatio: 0.1, warmupSteps: 3 }', 'both say how long to warm up'],
    ['train: { epochs: 1000000000 }', 'train.epochs expected at most 100000, got 1000000000'],
    ['train: { threads: 0 }', 'train.threads expected at least 1, got 0'],
    ['train: [1]', 'train expected a section of words, got the list [1]'],
    ['lora: { rank: -4 }', 'lora.rank expected at least 1, got -4'],
    ['lora: { dropout: 1 }', 'lora.dropout expected a number below 1, got 1'],
    [
      'lora: { targetModules: [] }',
      'lora.targetModules expected a list that is not empty, got an empty list',
    ],
    ['lora: { targetModules: [3] }', 'expected a list of names or one text, got the list [3]'],
    ['lora: { targetModules: 3 }', 'lora.targetModules expected a list of names or one text, got 3'],
    ['lora: { targetModules: "" }', 'expected text that is not empty'],
    ['lora:', 'lora expected a section of words, got nothing. Remove the line'],
    ['lora: {}\nfull: {}', 'lora and full exclude each other'],
    ['adapter: a\nfull: {}', 'adapter and full exclude each other'],
    [
      'image: { minPixels: 900, maxPixels: 800 }',
      'image.minPixels expected at most image.maxPixels 800, got 900',
    ],
    [
      'train: { evaluateAnswers: 8 }',
      'train.evaluateAnswers is about evaluations, and there are none without data.validation',
    ],
    [
      'train: { patience: 3 }',
      'train.patience is about evaluations, and there are none without data.validation',
    ],
    [
      'train: { bestBy: exactMatch }',
      'train.bestBy is about evaluations, and there are none without data.validation',
    ],
    ['train: { bestBy: bleu }', 'train.bestBy expected one of loss, answerLoss, tokenAccuracy, exactMatch'],
    ['train: { patience: 0 }', 'train.patience expected at least 1, got 0'],
    ['train: { earlyStoppingPatience: 3 }', 'Use train.patience.'],
    ['adapter: ""', 'adapter expected text that is not empty'],
    ['epochs: 3', 'epochs is not a word of the config. It stands under train: train.epochs.'],
    ['train: { rank: 3 }', 'It stands under lora: lora.rank.'],
    ['lora: { output: 3 }', 'It stands at the top of the file: output.'],
    ['constructor: 3', 'the word constructor is not allowed'],
    ['__proto__: { train: 3 }', 'the word __proto__ is not allowed'],
    ['<<: { train: 3 }', '<< is not a word of the config'],
  ];
  it.each(refused)('%s', async (line, words) => {
    expect((await problem(`${smallest}${line}\n`)).message).toContain(words);
  });

  const waiting: [string, string][] = [
    [
      'train: { bestBy: answers.f1 }',
      'train.bestBy the text "answers.f1" expected answers, but train.evaluateAnswers is 0. Say how many rows',
    ],
    [
      'train: { bestBy: answers.exactMatch, evaluateAnswers: 0 }',
      'expected answers, but train.evaluateAnswers is 0',
    ],
    [
      'train: { patience: 2, evaluateEvery: 0 }',
      'train.patience waits for evaluations, and train.evaluateEvery 0',
    ],
  ];
  it.each(waiting)('%s, with validation data', async (line, words) => {
    const set = ['data.validation=v.jsonl'];
    expect((await problem(`${smallest}${line}\n`, set)).message).toContain(words);
  });

  it('takes what evaluations are asked for where they come', async () => {
    const words = 'train: { evaluateAnswers: 8, bestBy: answers.f1, patience: 2 }\n';
    const { config } = await load(`${smallest}${words}`, ['data.validation=v.jsonl']);
    expect(config.train).toMatchObject({ evaluateAnswers: 8, bestBy: 'answers.f1', patience: 2 });
    await expect(load(`${smallest}train: { evaluateAnswers: 0 }\n`)).resolves.toBeDefined();
  });

  const nested: [string, string][] = [
    ['data: { train: a, train: b }', 'is not valid YAML: Map keys must be unique'],
    ['data: { train: [a', 'is not valid YAML'],
    ['data: !!python/object:os.system { train: a }', 'is not valid YAML: Unresolved tag'],
    ['a: 1\n---\nb: 2', ':2: expected one config, got several parted by ---'],
    ['', 'expected words with values (model, data, output ...), got nothing'],
    ['- 1', 'got a list'],
    ['just text', 'got string'],
    [`x: ${'['.repeat(100)}${']'.repeat(100)}`, 'nested deeper than 16 levels'],
    [`x: ${'['.repeat(20_000)}`, ''],
    [`# ${'x'.repeat(300_000)}`, 'expected a config of at most 262144 bytes'],
    [
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]`,
      'Excessive alias count',
    ],
    ['a: &a { b: *a }', ''],
    ['train: !!omap [epochs: 2]', 'train expected a plain value, list or section, got a Map'],
    ['train: !!set { epochs }', 'train expected a plain value, list or section, got a Set'],
    [
      'train: { seed: !!binary aGVsbG8= }',
      'train.seed expected a plain value, list or section, got a Buffer',
    ],
  ];
  it.each(nested)('%.40s is refused as YAML', async (text, words) => {
    expect((await problem(text)).message).toContain(words);
  });

  it.each(['data: rows.jsonl', 'data:', ''])(
    'say what a needed section holds, here for "%s"',
    async (text) => {
      const { message } = await problem(`model: a\noutput: b\n${text}`);
      expect(message).toContain('Its words stand in it, as in data: { train: ... }');
      expect(message).not.toContain('default');
    },
  );

  it('offer no default where there is none', async () => {
    const { message } = await problem('model:\ndata: { train: a }\noutput: b');
    expect(message).toContain(
      ':1: model expected text, got nothing. Give it a value: folder in Hugging Face layout, or the id of a pulled model.',
    );
  });

  it('are told for a file that is not there, a folder and an unknown kind of file', async () => {
    await expect(loadConfig(path.join(dir, 'no.yaml'))).rejects.toThrow('is not there');
    await mkdir(path.join(dir, 'folder.yaml'));
    await expect(loadConfig(path.join(dir, 'folder.yaml'))).rejects.toThrow('is a folder');
    expect((await problem('x', [], '.toml')).message).toContain('got ".toml"');
  });
});

describe('habits from elsewhere', () => {
  it.each([
    ['batchSize: 4', 'Use train.gradientAccumulation'],
    ['per_device_train_batch_size: 4', 'Use train.gradientAccumulation'],
    ['train: { batch_size: 4 }', 'Use train.gradientAccumulation'],
    ['gradient_accumulation_steps: 4', 'Use train.gradientAccumulation'],
    ['lora_alpha: 32', 'Use lora.alpha.'],
    ['lora: { lora_alpha: 32 }', 'Use lora.alpha.'],
    ['lora: { r: 32 }', 'Use lora.rank.'],
    ['lora: { target_modules: [q_proj] }', 'Use lora.targetModules.'],
    ['lora_dropout: 0.1', 'Use lora.dropout.'],
    ['num_train_epochs: 3', 'Use train.epochs.'],
    ['train: { learning_rate: 1e-4 }', 'Use train.learningRate.'],
    ['train: { lr: 1e-4 }', 'Use train.learningRate.'],
    ['max_grad_norm: 1', 'Use train.maxGradNorm.'],
    ['eval_steps: 10', 'Use train.evaluateEvery.'],
    ['warmup_ratio: 0.1', 'Use train.warmupRatio.'],
    ['output_dir: x', 'Use output.'],
    ['model_name_or_path: x', 'Use model.'],
    ['max_seq_length: 512', 'Use data.maxLength'],
    ['weight_decay: 0.1', 'Use train.weightDecay.'],
    ['gradient_checkpointing: true', 'Use train.recompute.'],
    ['optim: adamw_torch', 'the optimizer is AdamW'],
    ['bf16: true', 'training computes in f32'],
    ['system_prompt: x', 'Use data.system.'],
    ['val: x', 'Use data.validation.'],
    ['train: { epcohs: 3 }', 'Use train.epochs.'],
    ['data: { train: t, maxlength: 3 }', 'Use data.maxLength.'],
  ])('%s', async (line, words) => {
    const text = line.startsWith('data:') ? `model: m\noutput: o\n${line}\n` : `${smallest}${line}\n`;
    const { message } = await problem(text);
    expect(message).toContain('is not a word of the config');
    expect(message).toContain(words);
  });
});

describe('other kinds of file', () => {
  it('reads JSON, with lines', async () => {
    const good = await file('{ "model": "m", "data": { "train": "t" }, "output": "o" }', '.json');
    expect((await loadConfig(good)).config.model).toBe(path.join(dir, 'm'));
    const error = await problem('{\n"model": "m",\n"data": { "train": 1 },\n"output": "o"\n}', [], '.json');
    expect(error.place.line).toBe(3);
  });

  it('runs TypeScript and JavaScript', async () => {
    const typed = await file(
      "import { defineConfig } from 'lorikeet';\nconst epochs: number = 2;\nexport default defineConfig({ model: 'm', data: { train: 't', system: undefined }, output: 'o', train: { epochs } });\n",
      '.ts',
    );
    const { config } = await loadConfig(typed, { set: ['train.seed=1'] });
    expect(config.train).toMatchObject({ epochs: 2, seed: 1 });
    const plain = await file("export default { model: 'm', data: { train: 't' }, output: 'o' };\n", '.mjs');
    expect((await loadConfig(plain)).config.output).toBe(path.join(dir, 'o'));
  });

  it('refuses programs that fail, export no config, or a wrong one', async () => {
    expect((await problem('throw new Error("no luck");', [], '.ts')).message).toContain(
      'could not be run: no luck',
    );
    expect((await problem('export default 3;', [], '.mjs')).message).toContain('got number');
    expect((await problem('export default () => ({});', [], '.ts')).message).toContain('got function');
    const error = await problem(
      "export default { model: 'm', data: { train: 't' }, output: 'o', lr: 1 };",
      [],
      '.ts',
    );
    expect(error.message).toMatch(/\.ts: lr is not a word of the config\. Use train\.learningRate\.$/);
  });

  it('takes a config that a program made', () => {
    const input = { model: 'm', data: { train: 't' }, output: 'o' };
    const { config, file } = resolveConfig(input, '/folder');
    expect([config.model, file]).toEqual(['/folder/m', undefined]);
    expect(resolveConfig(input).config.model).toBe(path.resolve('m'));
    const wrong = { ...input, train: { epochs: 0, lr: 3 } };
    expect(() => resolveConfig(wrong)).toThrow(
      /^the config has 2 problems:\n {2}train\.epochs expected at least 1/,
    );
  });

  it('gives a config its types', () => {
    const config = { model: 'm', data: { train: 't' }, output: 'o' };
    expect(defineConfig(config)).toBe(config);
  });
});
