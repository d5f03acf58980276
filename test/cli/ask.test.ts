import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Message } from '../../src/generate/request.ts';
import { answerModel, conversations, picture, reference } from '../generate/answer-model.ts';

/** The command as people run it: what `npm run build` made, in a process of its own. */
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const [stored] = reference.models;
const folders = await answerModel(stored);
const cut = ['--max-new-tokens', String(reference.maxNewTokens), '--threads', '1'];

function ask(
  args: string[],
  { input = '', onText }: { input?: string; onText?: (child: ChildProcess) => void } = {},
) {
  const child = spawn(process.execPath, [main, 'ask', ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
    onText?.(child);
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  child.stdin.end(input);
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Rows of the reference that are one question about pictures, as words of the command. */
const rows = conversations.flatMap((turns, i) => {
  const { role, content } = turns[0];
  if (turns.length > 1 || role !== 'user' || typeof content === 'string') return [];
  const images = content.flatMap((part) => (part.type === 'image' ? ['--image', String(part.image)] : []));
  const question = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  return [{ i, words: [...images, question] }];
});

const textOf = ({ content }: Message) =>
  typeof content === 'string'
    ? content
    : content.map((part) => (part.type === 'text' ? part.text : '')).join('');

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'lorikeet-ask-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe('lorikeet ask', () => {
  it.each([0, 7, 11, 14])('answers row %s with the text alone on stdout', async (row) => {
    const { i, words } = rows.find((one) => one.i === row)!;
    const { code, stdout, stderr } = await ask(['--model', folders.model, ...cut, ...words]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${stored.base[i].text.trimEnd()}\n` });
    expect(stderr).toContain('Model');
    expect(stderr).toMatch(/tokens said in [\d.]+ s/);
    expect(stderr.includes('had not ended')).toBe(stored.base[i].finish === 'length');
    expect(stderr).not.toContain('\x1b');
  });

  it('answers with an adapter', async () => {
    const { i, words } = rows[1];
    const { stdout, stderr } = await ask([
      '--model',
      folders.model,
      '--adapter',
      folders.adapter,
      ...cut,
      ...words,
    ]);
    expect(stdout).toBe(`${stored.adapted[i].text.trimEnd()}\n`);
    expect(stderr).toContain('Adapter');
  });

  it('asks as an adapter was trained: with the pictures and the system text of its run', async () => {
    const run = join(folder(), 'run');
    cpSync(folders.adapter, join(run, 'adapter'), { recursive: true });
    const i = conversations.findIndex(([{ role }]) => role === 'system');
    const [system, user] = conversations[i].map(textOf);
    const resolved = { image: { minPixels: 3136, maxPixels: 6272, sixteenBit: 'clip' }, data: { system } };
    const record = { versions: { lorikeet: '0.1.0' }, config: { given: {}, resolved } };
    writeFileSync(join(run, 'run.json'), JSON.stringify(record));
    const { stdout, stderr } = await ask(['--model', folders.model, '--adapter', run, ...cut, user]);
    expect(stdout).toBe(`${stored.adapted[i].text.trimEnd()}\n`);
    expect(stderr).toContain('6,272 pixels at most, its system text');
    const words = ['--system', 'Short.', '--image', picture('rgb.png'), 'Is it red?'];
    const read = async (dir: string) => {
      const told = (await ask(['--model', folders.model, '--adapter', dir, ...cut, ...words])).stderr;
      return Number(/(\d+) tokens read/.exec(told)?.[1]);
    };
    expect(await read(run)).toBeGreaterThan(await read(folders.adapter)); // a larger picture, more tokens
  });

  it('takes a system text', async () => {
    const i = conversations.findIndex(([{ role }]) => role === 'system');
    const [system, user] = conversations[i].map(textOf);
    const { stdout } = await ask(['--model', folders.model, ...cut, '--system', system, user]);
    expect(stdout).toBe(`${stored.base[i].text.trimEnd()}\n`);
  });

  it('draws the same for the same seed', async () => {
    const words = [
      '--model',
      folders.model,
      ...cut,
      '--temperature',
      '1.5',
      '--top-p',
      '0.9',
      'Say something.',
    ];
    const first = await ask([...words, '--seed', '4']);
    expect((await ask([...words, '--seed', '4'])).stdout).toBe(first.stdout);
    expect((await ask([...words, '--seed', '5'])).stdout).not.toBe(first.stdout);
  });

  it('stops at Ctrl-C with what was said and exits 130', async () => {
    // With these draws the reference's second model goes round in circles, so that only Ctrl-C can end it.
    const { model } = await answerModel(reference.models[1]);
    let asked = false;
    const { code, stdout, stderr } = await ask(
      ['--model', model, '--threads', '1', '--max-new-tokens', '1000000', '--temperature', '0.3', 'What?'],
      {
        onText: (child) => {
          if (!asked) child.kill('SIGINT');
          asked = true;
        },
      },
    );
    expect(code).toBe(130);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stderr).toContain('stopped');
  });
});

describe('lorikeet ask --interactive', () => {
  it('talks line by line until an empty one, remembers, and goes on after a mistake', async () => {
    const input = [
      'What is shown?',
      'Where?',
      '/image no.png',
      'And now?',
      '/reset',
      'Hello.',
      '',
      'Never asked.',
      '',
    ].join('\n');
    const { code, stdout, stderr } = await ask(
      [
        '--model',
        folders.model,
        '--threads',
        '1',
        '--max-new-tokens',
        '1',
        '--image',
        picture('rgb.png'),
        '--interactive',
      ],
      { input },
    );
    expect(code).toBe(0);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stderr.match(/said in/g)).toHaveLength(3);
    expect(stderr).toContain('no such file');
    const read = [...stderr.matchAll(/(\d+) tokens read/g)].map(([, count]) => Number(count));
    expect(read[1]).toBeLessThan(read[0]); // the second turn reads its own words alone
  });

  it.each([
    ['answers lines that came, with the end, while it answered the first question', 'Where?\n', 2],
    ['ends where the first question is all there is', '', 1],
  ])('%s', async (_, input, answers) => {
    const words = ['--model', folders.model, ...cut, '--image', picture('rgb.png'), '--interactive', 'What?'];
    const { code, stderr } = await ask(words, { input });
    expect({ code, answers: stderr.match(/said in/g)?.length }).toEqual({ code: 0, answers });
  });
});

describe('bad input', () => {
  const notAPicture = () => {
    const file = join(folder(), 'words.png');
    writeFileSync(file, 'no picture');
    return file;
  };

  it.each<[string, () => string[], string]>([
    ['no model', () => ['What?'], '--model DIR'],
    ['no question', () => ['--model', folders.model], 'a question expected'],
    ['a model folder that is not there', () => ['--model', 'no-folder', 'What?'], 'no-folder'],
    ['a folder without weights', () => ['--model', folder(), 'What?'], 'tokenizer.json'],
    ['a picture that is not there', () => ['--model', folders.model, '--image', 'no.png', 'What?'], 'no.png'],
    [
      'a file that is no picture',
      () => ['--model', folders.model, '--image', notAPicture(), 'What?'],
      'words.png',
    ],
    [
      'a folder that is no adapter',
      () => ['--model', folders.model, '--adapter', folder(), 'What?'],
      'adapter_config.json',
    ],
    [
      'a temperature that is no number',
      () => ['--model', folders.model, '--temperature', 'hot', 'What?'],
      'temperature expected a number from 0 to 100, got "hot"',
    ],
    ['an empty temperature', () => ['--model', folders.model, '--temperature', '', 'What?'], 'got ""'],
    ['threads of none', () => ['--model', folders.model, '--threads', '0', 'What?'], '1 to 1024, got 0.'],
    ['threads in words', () => ['--model', folders.model, '--threads', 'two', 'What?'], 'got "two"'],
    ['an area in words', () => ['--model', folders.model, '--max-pixels', 'few', 'What?'], 'got few'],
    ['a length of none', () => ['--model', folders.model, '--max-new-tokens', '0', 'What?'], 'maxNewTokens'],
    ['an unknown option', () => ['--model', folders.model, '--loud', 'What?'], '--loud'],
  ])('exits 1 on %s, with words on stderr, nothing on stdout and no stack', async (_, args, word) => {
    const { code, stdout, stderr } = await ask(args());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(word);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});
