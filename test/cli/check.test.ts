import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { DataCheck } from '../../src/check/data-check.ts';
import { tinyRows, tinyRun } from '../train/tiny-run.ts';

/** The command as people run it: what `npm run build` made, in a process of its own. */
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const lorikeet = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

describe('lorikeet check', () => {
  it('tells what it found, writes nothing and exits 0, without weights', () => {
    const folder = tinyRun();
    rmSync(join(folder, 'model/model.safetensors'));
    const before = readdirSync(folder);
    const { status, stdout, stderr } = lorikeet('check', join(folder, 'config.yaml'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n');
    const lineOf = (name: string) => lines.find((line) => line.startsWith(name.padEnd(12)))?.slice(12);
    expect(lineOf('Training')).toContain('train.jsonl: flat rows (image; question; answer)');
    expect(lineOf('Rows')).toBe('5 to train on, 2 to validate on');
    expect(lineOf('Pictures')).toBe('2 different in 5 places: 2 of 37 x 29 (1 token)');
    expect(lineOf('Note')).toMatch(/^2 of 2 validation pictures also stand in training/);
    expect(lines.at(-2)).toBe('A run can start from this.');
    expect(readdirSync(folder)).toEqual(before);
  });

  it('prints one JSON document and nothing else where it is asked to', () => {
    const folder = tinyRun();
    const { status, stdout, stderr } = lorikeet('check', join(folder, 'config.yaml'), '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const check: DataCheck = JSON.parse(stdout);
    expect(check.splits.map(({ split, rows }) => [split, rows])).toEqual([
      ['train', 5],
      ['validation', 2],
    ]);
    expect(check.chance?.uniform).toBeCloseTo(Math.log(432), 12);
  });

  it('takes words of the config before or after the file', () => {
    const folder = tinyRun();
    const file = join(folder, 'config.yaml');
    const before = lorikeet('check', '--json', '--set', 'data.validation=~', file);
    expect(JSON.parse(before.stdout).splits).toHaveLength(1);
    const after = lorikeet('check', file, '--set', 'data.validation=~', 'image.sixteenBit=scale', '--json');
    expect(JSON.parse(after.stdout).splits).toHaveLength(1);
  });

  it('exits 1 at a bad row with its place and the way to see all of them, or goes on', () => {
    const folder = tinyRun({
      rows: [tinyRows[0], { ...tinyRows[1], answer: '' }, { ...tinyRows[1], answer: ' ' }],
    });
    const file = join(folder, 'config.yaml');
    const stopped = lorikeet('check', file, '--json');
    expect(stopped).toMatchObject({ status: 1, stdout: '' });
    expect(stopped.stderr).toMatch(/^Error: .*train\.jsonl:2, row 1: .*--set data\.onBadRow=skip.*\n$/);
    const skipped = lorikeet('check', file, '--set', 'data.onBadRow=skip');
    expect(skipped.status).toBe(0);
    expect(skipped.stdout).toMatch(/^Refused {5}2 training rows: /m);
  });

  it.each<[string, (folder: string) => string[], string]>([
    ['no file', () => [], 'Name it: lorikeet check FILE.yaml'],
    ['words alone', () => ['--set', 'train.epochs=1'], 'a config file expected'],
    ['a file that is not there', (folder) => [join(folder, 'no.yaml')], 'no.yaml'],
    [
      'a word that is none',
      (folder) => [join(folder, 'config.yaml'), '--set', 'image.sixteenBit=stretch'],
      'sixteenBit',
    ],
    ['an unknown option', (folder) => [join(folder, 'config.yaml'), '--fast'], '--fast'],
    [
      'a model folder without a tokenizer',
      (folder) => {
        rmSync(join(folder, 'model/tokenizer.json'));
        return [join(folder, 'config.yaml')];
      },
      'tokenizer.json',
    ],
    [
      'a template that trains on the next turn',
      (folder) => {
        const turn = "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}\n{{ '\\n' }}";
        writeFileSync(
          join(folder, 'model/chat_template.jinja'),
          `{% for m in messages %}${turn}{% endfor %}<|im_end|>{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}`,
        );
        const said = ['user', 'assistant', 'user', 'assistant'].map((role) => ({ role, content: 'words' }));
        writeFileSync(join(folder, 'train.jsonl'), JSON.stringify({ messages: said }));
        return [join(folder, 'config.yaml'), '--set', 'data.validation=~', 'data.onBadRow=skip'];
      },
      '<|im_start|>, which opens a turn',
    ],
  ])('exits 1 on %s, with words and no stack', (_, args, word) => {
    const folder = tinyRun();
    const { status, stdout, stderr } = lorikeet('check', ...args(folder));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(word);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });

  it('stops at Ctrl-C and exits 130', async () => {
    const rows = Array.from({ length: 200_000 }, (_, n) => ({
      ...tinyRows[n % 5],
      question: `Number ${n}?`,
    }));
    const folder = tinyRun({ rows });
    const child = spawn(process.execPath, [main, 'check', join(folder, 'config.yaml')]);
    let stdout = '';
    child.stdout.on('data', (data) => {
      stdout += data;
      if (!stdout.includes('Stopping') && /checking train rows .*\/200,000 .* left/.test(stdout))
        child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(130);
    expect(stdout).toContain('Stopping.');
    expect(stdout).not.toContain('Rows ');
  });
});
