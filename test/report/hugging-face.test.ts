import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../src/report/page/report-page.ts';
import { readRun } from '../../src/report/read-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What the Trainer of transformers 5.18 left of a LoRA run: reference/make_trainer_output.py. */
const fixture = new URL('../fixtures/trainer/', import.meta.url).pathname;
const copy = () => {
  const folder = join(temporaryFolder(), 'output');
  cpSync(fixture, folder, { recursive: true });
  return folder;
};
const write = (folder: string, state: string) => writeFileSync(join(folder, 'trainer_state.json'), state);

describe('an output folder of the Hugging Face Trainer', () => {
  it('gives its curves and its adapter', () => {
    const story = readRun(copy());
    const { log_history: history } = JSON.parse(readFileSync(join(fixture, 'trainer_state.json'), 'utf8'));
    expect(story).toMatchObject({ source: 'huggingface', status: 'finished', missing: [], name: 'output' });
    const logged = history.filter((line: object) => 'loss' in line);
    expect(story.steps).toHaveLength(12);
    expect(story.steps.map(({ loss, gradNorm, learningRate }) => [loss, gradNorm, learningRate])).toEqual(
      logged.map((line: Record<string, number>) => [line.loss, line.grad_norm, line.learning_rate]),
    );
    expect(story.steps.map(({ epoch }) => epoch)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    expect(story.evaluations.map(({ step }) => step)).toEqual([3, 6, 9, 12]);
    expect(story.evaluations[0].loss).toBe(4.148649215698242);
    expect(story.adapterConfig).toMatchObject({ r: 4, lora_alpha: 8, target_modules: ['q_proj', 'v_proj'] });
    expect(story.record).toBeUndefined();
  });

  it('says what its files do not, the label rule first', () => {
    const { unknown } = readRun(copy());
    expect(unknown[0]).toContain('Which tokens the loss was computed on');
    expect(unknown[1]).toContain('What the mean was over');
    expect(unknown.join('\n')).toContain('4 a batch, times gradient accumulation');
    expect(unknown.join('\n')).toContain('PEFT (0.21.0)');
  });

  it('is shown without a word on what its loss was averaged over', () => {
    const page = renderReport(readRun(copy()));
    expect(page).toContain('Which tokens the loss was computed on (the label rule)');
    expect(page).toContain('which tokens it was averaged over, and how, is not recorded');
    expect(page).not.toMatch(/weighs label tokens|nats per label token|all label tokens, natural/);
  });

  it('is read from its newest checkpoint where the root has no state', () => {
    const folder = copy();
    rmSync(join(folder, 'trainer_state.json'));
    rmSync(join(folder, 'adapter_config.json'));
    mkdirSync(join(folder, 'checkpoint-100'));
    const story = readRun(folder);
    expect(story.steps).toHaveLength(12);
    expect(story.missing).toEqual([
      'trainer_state.json was read from checkpoint-12, the newest checkpoint that has it.',
    ]);
    rmSync(join(folder, 'checkpoint-12'), { recursive: true });
    const earlier = readRun(folder);
    expect(earlier.status).toBe('unknown');
    expect(earlier.missing).toContain('The state stands at step 6 of 12.');
    expect(earlier.adapterConfig).toMatchObject({ r: 4 });
  });

  it('says which of its two files is missing', () => {
    const [stateless, adapterless] = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(stateless, 'adapter_config.json'), '{"r": 8}');
    expect(readRun(stateless).missing).toEqual(['trainer_state.json is not there: there are no curves.']);
    write(adapterless, '{"log_history": [{"step": 1, "loss": 2}]}');
    expect(readRun(adapterless).missing).toEqual([
      'trainer_state.json holds no evaluation loss.',
      'adapter_config.json is not there: what was trained is unknown.',
    ]);
    expect(readRun(adapterless).unknown.join('\n')).toContain('an adapter or the whole model');
  });

  it('reads the NaN and Infinity that Python writes, and leaves strings alone', () => {
    const folder = temporaryFolder();
    write(
      folder,
      '{"log_history": [{"step": 1, "loss": NaN, "grad_norm": Infinity}, {"step": 2, "loss": 1.5, "grad_norm": NaN, ' +
        '"note": "NaN is \\"NaN\\""}, {"step": 2, "eval_loss": -Infinity}, "NaN", {"step": 1e99, "loss": 1}]}',
    );
    const story = readRun(folder);
    expect(story.steps).toEqual([{ step: 2, loss: 1.5 }]);
    expect(story.evaluations).toEqual([]);
    expect(story.missing).toContain(
      'trainer_state.json holds 4 values that are NaN or infinite; they are left out of the curves.',
    );
  });

  it('with a cut-off state still has its adapter', () => {
    const folder = temporaryFolder();
    write(folder, '{"log_history": [{"step": 1, "lo');
    writeFileSync(join(folder, 'adapter_config.json'), '{"r": 8}');
    const story = readRun(folder);
    expect(story.missing[0]).toMatch(/^trainer_state.json is not whole JSON: .*there are no curves\.$/);
    expect(story.adapterConfig).toEqual({ r: 8 });
  });
});
