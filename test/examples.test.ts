/** The three short programs that the README names, run as users run them: against the build. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Engine } from '../src/generate/engine.ts';
import { tinyRows, tinyRun } from './train/tiny-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const jiti = join(root, 'node_modules/jiti/lib/jiti-cli.mjs');
const env = { ...process.env, JITI_FS_CACHE: 'false' };
const run = (name: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [jiti, join(root, 'examples', name), ...args], { env });

describe('examples/train-and-ask.ts', () => {
  it('trains, and answers as the best adapter of the run does', async () => {
    const folder = tinyRun();
    const [config, image] = [join(folder, 'config.yaml'), join(folder, 'a.png')];
    const { stdout } = await run('train-and-ask.ts', config, image, 'Is there a polyp?', 'train.epochs=1');
    const engine = await Engine.open({
      model: join(folder, 'model'),
      adapter: join(folder, 'run/best'),
      threads: 1,
    });
    const [{ text }] = await engine.answer([{ image, question: 'Is there a polyp?', maxNewTokens: 64 }]);
    await engine.close();
    expect(stdout).toMatch(/^step 1: loss \d+\.\d{4}\nstep 2: .*\nstep 3: .*\nvalidation loss \d+\.\d{4}\n/);
    expect(stdout.endsWith(`Is there a polyp?\n  ${text}\n`)).toBe(true);
  });

  it('says in a line what is wrong', async () => {
    const failure = await run('train-and-ask.ts', join(tinyRun(), 'none.yaml'), 'a.png', 'q').catch(
      (error) => error,
    );
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringMatching(/^config: .*none\.yaml.*\n$/) });
  });
});

describe('examples/score.ts', () => {
  it('prints what the scorecard that it leaves has in it', async () => {
    const folder = tinyRun();
    const { stdout } = await run('score.ts', join(folder, 'config.yaml'), 'base');
    const kept = join(folder, 'run-evaluation-validation/evaluation.json');
    expect(existsSync(kept)).toBe(true);
    const { overall, imageTest } = JSON.parse(readFileSync(kept, 'utf8'));
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const [own, floor, wrong] = stdout.split('\n');
    expect(own).toBe(`exact match     ${percent(overall.exactMatch.value)} of 2 answers`);
    // Both questions are asked in training, each with this answer alone.
    expect(floor).toBe('never looking   100.0 %');
    expect(wrong).toBe(`wrong pictures  ${percent(imageTest.shuffled.value)}`);
    expect(stdout).toContain(`\n${tinyRows[0].question}\n`);
    expect(stdout).toContain(`\n  expected ${tinyRows[0].answer}\n`);
  });
});

describe('examples/loss.ts', () => {
  it('prints the cross-entropy of its numbers', async () => {
    const { stdout } = await run('loss.ts');
    // -ln of e^3 / (e^3 + e + 3), of e^4 / (e^4 + 4), of 1 / 5.
    const nats = [Math.log(Math.exp(3) + Math.E + 3) - 3, Math.log(Math.exp(4) + 4) - 4, Math.log(5)];
    const mean = nats.reduce((sum, loss) => sum + loss, 0) / 3;
    const lines = nats.map(
      (loss, i) => `token ${i + 1}: ${loss.toFixed(4)}, probability ${Math.exp(-loss).toFixed(4)}`,
    );
    expect(stdout).toBe([`loss ${mean.toFixed(4)} over 3 label tokens`, ...lines, ''].join('\n'));
  });
});

describe('README.md', () => {
  it('names them', () => {
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    for (const name of ['train-and-ask.ts', 'score.ts', 'loss.ts'])
      expect(text).toContain(`](examples/${name})`);
  });
});
