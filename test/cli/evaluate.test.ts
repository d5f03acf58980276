import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Scorecard } from '../../src/evaluate/scorecard.ts';
import { tinyRows, tinyRun } from '../train/tiny-run.ts';

/** The command as people run it: what `npm run build` made, in a process of its own. */
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const lorikeet = (...args: string[]) => {
  const ended = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  // A slow machine is told how far it is.
  return { ...ended, stderr: ended.stderr.replace(/^answering .*\n/gm, '') };
};

const quick = ['--max-new-tokens', '4'];

describe('lorikeet evaluate', () => {
  it('tells the scores beside floor and image test, keeps every answer and exits 0', () => {
    const folder = tinyRun();
    const { status, stdout, stderr } = lorikeet('evaluate', join(folder, 'config.yaml'), ...quick);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n');
    const lineOf = (name: string) => lines.find((line) => line.startsWith(name.padEnd(12)))?.slice(12);
    expect(lineOf('Model')).toMatch(/model alone \(nothing is trained yet\)$/);
    expect(lineOf('Data')).toMatch(/val\.jsonl, the validation split: 2 questions about 2 pictures$/);
    expect(lineOf('Match')).toMatch(/^trimmed and lower-cased, nothing more; .* 2 pictures, never of rows$/);
    // Both questions stand in training with their answers: the floor is 100 %, and two random answers reach nothing.
    expect(lineOf('all')).toMatch(/^ +2 +0\.0 % \[0\.0, 0\.0\] +100\.0 % +0\.0 %$/);
    expect(lineOf('Floor')).toMatch(/^100\.0 points BELOW the floor/);
    expect(lineOf('Images')).toContain('did not use the image');
    expect(lineOf('Loss')).toMatch(/ nats a token, .* an answer, .* a character; perplexity /);
    expect(lineOf('Kept')).toMatch(/run-evaluation-validation \(evaluation\.json, predictions\.jsonl\)$/);
    const kept = readFileSync(join(folder, 'run-evaluation-validation/predictions.jsonl'), 'utf8');
    const predictions = kept
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(predictions.map(({ question, expected }) => [question, expected])).toEqual(
      tinyRows.slice(0, 2).map(({ question, answer }) => [question, answer]),
    );
  });

  it('prints one JSON document and nothing else where it is asked to', () => {
    const folder = tinyRun();
    const out = join(folder, 'scores');
    const config = join(folder, 'config.yaml');
    const words = ['--split', 'train', '--json', '--out', out, '--against', 'base', ...quick];
    const { status, stdout, stderr } = lorikeet('evaluate', config, ...words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const card: Scorecard = JSON.parse(stdout);
    expect(card).toMatchObject({ split: 'train', answers: 5, answersComputed: 15 });
    expect(card.against!.difference.exactMatch).toMatchObject({ value: 0, p: 1 });
    expect(card.against!.changed).toEqual([]);
    expect(JSON.parse(readFileSync(join(out, 'evaluation.json'), 'utf8'))).toEqual(card);
  });

  it('names rows that are lost, on stderr and at the end, and says what did not end', () => {
    const folder = tinyRun();
    writeFileSync(join(folder, 'bad.png'), 'no picture');
    const rows = [...tinyRows, { ...tinyRows[0], image: 'bad.png' }];
    writeFileSync(join(folder, 'test.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const words = ['--max-new-tokens', '1', '--set', 'data.test=test.jsonl'];
    const { status, stdout, stderr } = lorikeet('evaluate', join(folder, 'config.yaml'), ...words);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^Lost: .*test\.jsonl:6, row 5: .*bad\.png.*\n$/);
    expect(stdout).toMatch(/^Lost {8}1 row could not be scored and is in no figure$/m);
    expect(stdout).toMatch(/^Cut {9}\d of 5 answers had not ended after 1 token /m);
    const strict = lorikeet('evaluate', join(folder, 'config.yaml'), ...words, 'data.onBadRow=stop');
    expect(strict).toMatchObject({ status: 1, stdout: '' });
    expect(strict.stderr).toMatch(/^Error: .*row 5: .*\n$/);
  });

  it('ends at Ctrl-C with 130 and keeps what was answered', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ ...tinyRows[i % 5], question: `Question ${i}?` }));
    const folder = tinyRun({ rows });
    const child = spawn(process.execPath, [
      main,
      'evaluate',
      join(folder, 'config.yaml'),
      '--split',
      'train',
    ]);
    let told = '';
    child.stderr.on('data', (text) => {
      if (told === '') child.kill('SIGINT');
      told += text;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(130);
    expect(told).toMatch(
      /^answering [\d,]+\/6,000 .* left\nStopping; what was answered is kept\.\nKept {4}.*\n$/,
    );
    expect(existsSync(join(folder, 'run-evaluation-train'))).toBe(false);
    const place = 'run-evaluation-train-unfinished/predictions.jsonl';
    const [, answers] = /train-unfinished\/predictions\.jsonl \(unfinished: ([\d,]+) of 6,000 answers\)/.exec(
      told,
    )!;
    const predictions = readFileSync(join(folder, place), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const given = predictions.reduce((sum, { shuffled }) => sum + 1 + Number(shuffled !== undefined), 0);
    expect(given).toBe(Number(answers.replaceAll(',', '')));
    expect(given).toBeGreaterThan(0);
  });

  it.each<[string, (folder: string) => string[], string]>([
    ['no file', () => [], 'Name it: lorikeet evaluate FILE.yaml'],
    ['a file that is not there', (folder) => [join(folder, 'no.yaml')], 'no.yaml'],
    [
      'a split that is none',
      (folder) => [join(folder, 'config.yaml'), '--split', 'dev'],
      'Allowed choices are train, validation, test',
    ],
    ['a split without a file', (folder) => [join(folder, 'config.yaml'), '--split', 'test'], 'data.test'],
    [
      'an adapter that is none',
      (folder) => [join(folder, 'config.yaml'), '--adapter', join(folder, 'nowhere')],
      'a folder with an adapter expected',
    ],
    [
      'a folder with something else in it',
      (folder) => [join(folder, 'config.yaml'), '--out', folder],
      'one that holds',
    ],
    [
      'a length in letters',
      (folder) => [join(folder, 'config.yaml'), '--max-new-tokens', 'long'],
      'maxNewTokens expected a whole number from 1 to 1048576, got "long"',
    ],
  ])('exits 1 with one line for %s', (_, argsOf, words) => {
    const folder = tinyRun();
    const { status, stdout, stderr } = lorikeet('evaluate', ...argsOf(folder));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(join(folder, 'run-evaluation-validation'))).toBe(false);
  });
});
