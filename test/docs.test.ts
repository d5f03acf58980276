/** What the documents say about config and data is held to the code: a word, a default or an example that drifts fails. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { configSchema, fullSchema, loraDefaults } from '../src/config/schema.ts';
import { words } from '../src/config/words.ts';
import { openDataset } from '../src/data/dataset.ts';
import { formNames } from '../src/data/rows/form.ts';
import { folderOf } from './data/folder.ts';
import { tinyRows, tinyRun } from './train/tiny-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('docs/config.md', () => {
  const rows = [...read('docs/config.md').matchAll(/^\| `([\w.]+)` \| (.+?) \| (.+) \|$/gm)];
  const documented = new Map(rows.map(([, word, value]) => [word, value]));
  const smallest = { model: 'm', data: { train: 't' }, output: 'o' };
  const defaults = { ...configSchema.parse(smallest), lora: loraDefaults, full: fullSchema.parse({}) };

  const defaultOf = (name: string): unknown =>
    name
      .split('.')
      .reduce<unknown>((value, word) => (value as Record<string, unknown> | undefined)?.[word], defaults);

  it('has every word of the config once, and no other', () => {
    const leaves = words.filter(({ isSection }) => !isSection).map(({ name }) => name);
    expect(rows.map(([, word]) => word).sort()).toEqual([...leaves].sort());
  });

  const needed = ['model', 'data.train', 'output'];

  it.each([...documented])('says the default of %s', (word, said) => {
    const value = defaultOf(word);
    if (needed.includes(word)) expect(said).toBe('needed');
    else if (value === undefined)
      expect(said).toMatch(/^(none|guessed|the checkpoint's|physical cores|ten minutes|the user's cache)$/);
    else expect(said).toBe(`\`${Array.isArray(value) ? value.join(', ') : written(value)}\``);
  });

  it('names the words that are needed', () => {
    const config = { model: 'm', data: { train: 't' }, output: 'o' };
    expect(configSchema.safeParse(config).success).toBe(true);
    for (const without of [
      { ...config, model: undefined },
      { ...config, data: {} },
      { ...config, output: undefined },
    ])
      expect(configSchema.safeParse(without).success).toBe(false);
  });

  const written = (value: unknown) => (value === 5e-6 ? '5e-6' : String(value));
});

describe('docs/data.md', () => {
  const sections = read('docs/data.md').split(/^### /m).slice(1);
  const examples = sections.map((section): [form: string, row: string] => [
    /^`(\w+)`/.exec(section)?.[1] ?? '',
    /```json\n([\s\S]+?)```/.exec(section)?.[1] ?? '',
  ]);

  it('has an example of every form', () => {
    expect(examples.map(([form]) => form).sort()).toEqual(Object.keys(formNames).sort());
  });

  it.each(examples)('shows a row that is read as %s', async (form, row) => {
    const folder = folderOf({ 'a.png': '', 'b.png': '', 'rows.jsonl': [JSON.parse(row)] });
    const dataset = await openDataset(join(folder, 'rows.jsonl'), { name: 'train' });
    expect(dataset.form).toBe(form);
    const { turns } = await dataset.example(0);
    expect(turns.some(({ role }) => role === 'assistant')).toBe(true);
    const places = turns.flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
    expect(places).toHaveLength(new Set(row.match(/\w\.png/g)).size);
  });
});

describe('docs/reliability.md', () => {
  it('names a test that is there beside every promise', () => {
    const promises = [...read('docs/reliability.md').matchAll(/^\| ([A-Z][^|]+) \| ([^|]+) \|$/gm)];
    expect(promises.length).toBeGreaterThan(10);
    for (const [, promise, tests] of promises) {
      const files = [...tests.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file);
      expect(files, promise).not.toEqual([]);
      for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
    }
  });
});

describe('examples', () => {
  it('load: the smallest', async () => {
    const { config, decisions } = await loadConfig(join(root, 'examples/first.yaml'));
    expect(decisions.filter(({ from }) => from === 'file').map(({ key }) => key)).toEqual([
      'model',
      'data.train',
      'output',
    ]);
    expect(config.output).toBe(join(root, 'examples/runs/first'));
  });

  it('load: surgical VQA with the published hyperparameters', async () => {
    const { config } = await loadConfig(join(root, 'examples/kvasir-vqa.yaml'));
    expect(config).toMatchObject({
      image: { maxPixels: 448 * 448 },
      lora: { rank: 32, alpha: 64, dropout: 0.05, targetModules: loraDefaults.targetModules },
      train: { epochs: 3, learningRate: 5e-6, gradientAccumulation: 16 },
    });
  });
});

describe('examples/inspect.ts', () => {
  const jiti = join(root, 'node_modules/jiti/lib/jiti-cli.mjs');
  const env = { ...process.env, JITI_FS_CACHE: 'false' };
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [jiti, join(root, 'examples/inspect.ts'), ...args], { env });

  it('prints every label token of a row with its loss', async () => {
    const { stdout } = await run(join(tinyRun(), 'config.yaml'), '1');
    const [head, ...lines] = stdout.trimEnd().split('\n');
    const arithmetic = lines.pop()!;
    const tokens = lines.map((line) => /^(\d+\.\d{4}) {2}("(?:[^"\\]|\\.)*")/.exec(line)!);
    expect(head).toMatch(new RegExp(`^row 1: ${tokens.length} of \\d+ tokens are trained$`));
    expect(tokens.map(([, , text]) => JSON.parse(text)).join('')).toBe(`${tinyRows[1].answer}<|im_end|>\n`);
    const losses = tokens.map(([, loss]) => Number(loss));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(Number(/[\d.]+$/.exec(arithmetic)![0])).toBeCloseTo(mean, 3);
  });

  it('says in a line what is wrong', async () => {
    const failure = await run(join(tinyRun(), 'config.yaml'), '99').catch((error) => error);
    expect(failure).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^config: .*rows from 0 to 4 expected, got 99.*\n$/),
    });
  });
});

describe('README.md', () => {
  it('shows a config that loads', async () => {
    const [, text] = /```yaml\n([\s\S]+?)```/.exec(read('README.md'))!;
    const file = join(folderOf({}), 'vqa.yaml');
    writeFileSync(file, text);
    const { config } = await loadConfig(file);
    expect(config).toMatchObject({ image: { maxPixels: 448 * 448 }, train: { learningRate: 1e-4 } });
  });

  it('names every package that is installed for users', () => {
    const { dependencies } = JSON.parse(read('package.json'));
    for (const name of Object.keys(dependencies)) expect(read('README.md')).toContain(name);
  });

  it('has the test command that .ci/run runs', () => {
    const [, command] = /test_command='(.+)'/.exec(read('.ci/run'))!;
    expect(read('README.md').split('\n')).toContain(command);
  });
});

describe('links', () => {
  it.each([
    'README.md',
    'CONTRIBUTING.md',
    'docs/ask.md',
    'docs/check.md',
    'docs/config.md',
    'docs/data.md',
    'docs/estimate.md',
    'docs/evaluate.md',
    'docs/export.md',
    'docs/merge.md',
    'docs/reliability.md',
    'docs/report.md',
    'docs/pull.md',
    'docs/loss.md',
    'docs/training.md',
    'docs/inspect.md',
    'docs/watch.md',
    'docs/LOG.md',
  ])('of %s lead to files that are there', (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link);
    const missing = links.filter((link) => !existsSync(join(root, file, '..', link)));
    expect(missing).toEqual([]);
  });
});
