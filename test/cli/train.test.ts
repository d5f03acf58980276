import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { tinyRun } from '../train/tiny-run.ts';

const metrics = (folder: string) =>
  readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('lorikeet train', () => {
  it('trains, tells so in plain lines and exits 0', async () => {
    const folder = tinyRun();
    const { code, stdout, stderr } = await runCommand(['train', join(folder, 'config.yaml')]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).not.toContain('\x1b');
    for (const expected of [
      'cpu, 1 thread',
      'LoRA on 14 modules',
      'in all, measured',
      'step 1/6',
      'Done: 6 steps',
    ]) {
      expect(stdout).toContain(expected);
    }
    const lines = metrics(folder);
    expect(lines.at(-1)).toMatchObject({ type: 'finish', status: 'finished' });
    expect(lines[0]).toMatchObject({ type: 'baseline', step: 0 });
    expect(lines[1]).toMatchObject({
      type: 'step',
      step: 1,
      learningRate: 1e-3,
      labelTokens: expect.any(Number),
    });
  });

  it('takes words of the config before or after the file', async () => {
    const folder = tinyRun();
    const file = join(folder, 'config.yaml');
    const before = await runCommand(['train', '--set', 'train.maxSteps=1', file]);
    expect(before.code).toBe(0);
    expect(before.stdout).toContain('step 1/1');
    const after = await runCommand([
      'train',
      file,
      '--overwrite',
      '--set',
      'train.maxSteps=2',
      'train.seed=7',
    ]);
    expect(after.code).toBe(0);
    expect(metrics(folder).filter(({ type }) => type === 'step')).toHaveLength(2);
  });

  it('refuses to replace a run unasked', async () => {
    const folder = tinyRun({ train: { maxSteps: 1 } });
    const file = join(folder, 'config.yaml');
    expect((await runCommand(['train', file])).code).toBe(0);
    const { code, stderr } = await runCommand(['train', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('--overwrite');
  });

  it.each<[string, (folder: string) => string[], string]>([
    ['no file', () => ['train'], 'a config file expected'],
    ['a file that is not there', (folder) => ['train', join(folder, 'no.yaml')], 'no.yaml'],
    [
      'a habit',
      (folder) => ['train', join(folder, 'config.yaml'), '--set', 'train.batchSize=4'],
      'gradientAccumulation',
    ],
    ['an unknown command', () => ['trian'], 'Did you mean train?'],
    ['an unknown option', () => ['train', '--fast'], '--fast'],
    [
      'a missing picture',
      (folder) => {
        rmSync(join(folder, 'b.png'));
        return ['train', join(folder, 'config.yaml')];
      },
      'b.png',
    ],
  ])('exits 1 on %s, with words and no stack', async (_, args, word) => {
    const folder = tinyRun();
    const { code, stderr } = await runCommand(args(folder));
    expect(code).toBe(1);
    expect(stderr).toContain(word);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });

  it('shows the stack when it is asked to', async () => {
    const { stderr } = await runCommand(['train', 'no.yaml'], { env: { LORIKEET_DEBUG: '1' } });
    expect(stderr).toMatch(/\n\s+at /);
  });

  it('stops at a step boundary at the first Ctrl-C, keeps what was learned and exits 130', async () => {
    const folder = tinyRun({ train: { epochs: 5000 } });
    let asked = false;
    const { code, stdout } = await runCommand(['train', join(folder, 'config.yaml')], {
      onOutput(text, child) {
        if (asked || !text.includes('step 1/')) return;
        asked = true;
        child.kill('SIGINT');
      },
    });
    expect(code).toBe(130);
    expect(stdout).toContain('what was learned is kept');
    expect(metrics(folder).at(-1)).toMatchObject({ type: 'finish', status: 'stopped' });
    expect(existsSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });

  it('says what it can do', async () => {
    const help = await runCommand(['--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('train');
    const train = await runCommand(['train', '--help']);
    expect(train.stdout).toContain('--set <key=value...>');
    expect(train.stdout).toContain('--overwrite');
    expect((await runCommand(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
