import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resumeCommand } from '../../src/cli/resume-command.ts';
import { withoutTiming } from '../../src/train/events.ts';
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

  it('stops at the first Ctrl-C or SIGTERM, keeps a checkpoint and says how to go on, which then goes on', async () => {
    const folder = tinyRun({ train: { epochs: 5000 } });
    const config = join(folder, 'config.yaml');
    const stoppedBy = (signal: NodeJS.Signals, ...words: string[]) => {
      let asked = false;
      return runCommand(['train', config, ...words, '--set', 'train.seed=7'], {
        onOutput(text, child) {
          if (asked || !text.includes('in all, measured')) return;
          asked = true;
          child.kill(signal);
        },
      });
    };
    const first = await stoppedBy('SIGINT');
    expect(first.code).toBe(130);
    expect(first.stdout).toContain('what was learned is kept');
    expect(first.stdout).toContain(`Resume lorikeet train ${config} --resume --set train.seed=7\n`);
    const end = metrics(folder).at(-1);
    expect(end).toMatchObject({ type: 'finish', status: 'stopped' });
    expect(existsSync(join(folder, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true);
    const second = await stoppedBy('SIGTERM', '--resume');
    expect(second.code).toBe(143);
    expect(second.stdout).toContain(`going on after step ${end.step}`);
    const steps = metrics(folder).flatMap(({ type, step }) => (type === 'step' ? [step] : []));
    expect(steps).toEqual(steps.map((_, i) => i + 1));
    expect(steps.length).toBeGreaterThanOrEqual(end.step);
  });

  it('says how to go on where it was stopped in the evaluation before step 1, too', async () => {
    const folder = tinyRun();
    const config = join(folder, 'config.yaml');
    // Long enough to be stopped in.
    writeFileSync(join(folder, 'val.jsonl'), readFileSync(join(folder, 'val.jsonl'), 'utf8').repeat(300));
    let asked = false;
    const { code, stdout } = await runCommand(['train', config], {
      onOutput(text, child) {
        if (asked || !text.includes('Why each setting')) return;
        asked = true;
        child.kill('SIGINT');
      },
    });
    expect(code).toBe(130);
    expect(metrics(folder)).toMatchObject([{ type: 'finish', status: 'stopped', step: 0 }]);
    expect(stdout).toContain('Stopped after step 0 of 6; nothing was learned yet.');
    expect(stdout).toContain(`Resume lorikeet train ${config} --resume\n`);
  });

  it('leaves a finished run alone when it is asked to go on with it, says so and exits 0', async () => {
    const folder = tinyRun({ train: { maxSteps: 1 } });
    const config = join(folder, 'config.yaml');
    const begun = await runCommand(['train', '--resume', config]); // the file is not taken for a checkpoint
    expect(begun).toMatchObject({ code: 0, stderr: '' });
    expect(begun.stdout).toContain('holds no run yet: the run starts at step 0');
    const before = readFileSync(join(folder, 'run', 'run.json'), 'utf8');
    const again = await runCommand(['train', config, '--resume']);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toMatch(/^Note: The run in .* is finished, after 1 step; nothing was changed\.\n$/);
    expect(readFileSync(join(folder, 'run', 'run.json'), 'utf8')).toBe(before);
  });

  it('repeats a run from its run.json to the same bytes', async () => {
    const folder = tinyRun({ train: { maxSteps: 2, threads: 2 } });
    expect((await runCommand(['train', join(folder, 'config.yaml')])).code).toBe(0);
    const record = join(folder, 'run', 'run.json');
    const { code, stderr } = await runCommand(['train', '--from', record, '--set', 'output=again']);
    expect([code, stderr]).toEqual([0, '']);
    for (const name of [
      'adapter/adapter_model.safetensors',
      'best/adapter_model.safetensors',
      'scores/last.jsonl',
    ]) {
      expect(readFileSync(join(folder, 'again', name)), name).toEqual(
        readFileSync(join(folder, 'run', name)),
      );
    }
    const told = (output: string) =>
      readFileSync(join(folder, output, 'metrics.jsonl'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => withoutTiming(JSON.parse(line)));
    expect(told('again')).toEqual(told('run'));
  });

  it.each([
    ['a file and a run.json', ['config.yaml', '--from', 'run.json'], 'exclude each other'],
    [
      'both to go on and to replace',
      ['config.yaml', '--resume', '--overwrite'],
      'resume and overwrite exclude each other',
    ],
    [
      'a checkpoint that is not there',
      ['config.yaml', '--resume', 'run/checkpoints/step-3'],
      'a checkpoint of a run expected',
    ],
    ['a record that is none', ['--from', 'model/config.json'], 'the run.json of a run expected'],
  ])('exits 1 on %s', async (_, words, expected) => {
    const folder = tinyRun();
    const args = words.map((word) => (word.startsWith('-') ? word : join(folder, word)));
    const { code, stderr } = await runCommand(['train', ...args]);
    expect(code).toBe(1);
    expect(stderr).toContain(expected);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('quotes what a shell would read otherwise in the command that goes on', () => {
    const set = ['lora.targetModules=[q_proj, v_proj]', "output=it's", 'train.epochs=1'];
    expect(resumeCommand({ file: 'a b.yaml', set })).toBe(
      "lorikeet train 'a b.yaml' --resume --set 'lora.targetModules=[q_proj, v_proj]' 'output=it'\\''s' train.epochs=1",
    );
    expect(resumeCommand({ from: 'runs/first/run.json', set: [] })).toBe(
      'lorikeet train --from runs/first/run.json --resume',
    );
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
