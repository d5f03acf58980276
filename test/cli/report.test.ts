import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { generatedRun, writeRun } from '../report/generated-run.ts';
import { temporaryFolder } from '../report/temporary-folder.ts';
import { runCommand } from '../support/command.ts';

const report = (...args: string[]) => runCommand(['report', ...args]);
const written = () => writeRun(join(temporaryFolder(), 'run'), generatedRun());

describe('lorikeet report', () => {
  it('writes the page and its plots into the run folder and says where', async () => {
    const folder = written();
    const { code, stdout, stderr } = await report(folder);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('60 steps and 6 evaluations read, finished');
    expect(stdout).toMatch(/Step 60: validation loss 0\.577, 56\.1 % of tokens right\nLoss says how sure/);
    expect(stdout).toMatch(/Report {3}\S*report\.html\nPlots {4}\S*plots {2}\(\d+ SVG files\)\n$/);
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('<!doctype html>');
  });

  it('tells findings and what is missing', async () => {
    const folder = written();
    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').split('\n');
    writeFileSync(join(folder, 'metrics.jsonl'), lines.slice(0, 40).join('\n').slice(0, -9));
    const { record } = generatedRun();
    const same = { pictures: 5, rows: 10, pairs: [] };
    const check = { ...record.check!, shared: { ...record.check!.shared!, same } };
    const failed = { ...record, status: 'failed', error: 'disk full \u001b[2J', check };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(failed));
    const { code, stdout } = await report(folder);
    expect(code).toBe(0);
    expect(stdout).toContain('35 steps and 3 evaluations read, failed');
    expect(stdout).toContain(
      '\n* Validation asks about pictures that were trained on\n  5 validation pictures',
    );
    expect(stdout).toContain(
      '\nMissing\n- metrics.jsonl: the last line is cut off: left out.\n- The run failed at step 35',
    );
    expect(stdout).not.toContain('\u001b');
  });

  it('writes it elsewhere where --out says so', async () => {
    const folder = written();
    const out = join(temporaryFolder(), 'first.html');
    const { code, stdout } = await report(folder, '--out', out);
    expect(code).toBe(0);
    expect(stdout).toContain('first-plots');
    expect([existsSync(out), existsSync(join(folder, 'report.html'))]).toEqual([true, false]);
  });

  it('prints the methods and nothing else, all three forms parted or one alone', async () => {
    const folder = written();
    const all = await report(folder, '--methods');
    expect(all.stderr).toBe('');
    expect(all.stdout.match(/^===== .+ =====$/gm)).toEqual([
      '===== Markdown =====',
      '===== LaTeX =====',
      '===== BibTeX =====',
    ]);
    const latex = await report(folder, '--methods', 'latex');
    expect(latex.stdout).toMatch(/^We fine-tuned Qwen2-VL \\cite\{wang2024qwen2vl\}/);
    expect(latex.stdout).not.toContain('=====');
    expect((await report(folder, '--methods', 'bibtex')).stdout).toMatch(/^@article\{wang2024qwen2vl,/);
    expect((await report('--methods', folder)).stdout).toBe(all.stdout);
    expect(existsSync(join(folder, 'report.html'))).toBe(false);
  });

  it('writes the slide, and keeps a printed paragraph free of its line', async () => {
    const folder = written();
    const slide = await report('--slide', folder);
    expect(slide.stdout).toMatch(/^Slide {4}\S+slide\.svg {2}\S+slide\.png {2}\S+slide\.md\n$/);
    expect(existsSync(join(folder, 'report.html'))).toBe(false);
    const talk = join(temporaryFolder(), 'talk');
    const both = await report(folder, '--slide', talk, '--methods', 'markdown');
    expect(both.stdout).toMatch(/^We fine-tuned/);
    expect(both.stdout).not.toContain('Slide');
    expect(both.stderr).toContain('slide.png');
    expect(existsSync(join(talk, 'slide.png'))).toBe(true);
  });

  it('reads a Trainer folder and says what its files do not', async () => {
    const fixture = new URL('../fixtures/trainer/', import.meta.url).pathname;
    const { code, stdout } = await report(fixture, '--out', join(temporaryFolder(), 'trainer.html'));
    expect(code).toBe(0);
    expect(stdout).toContain('\nUnknown\n- Which tokens the loss was computed on (the label rule)');
  });

  it.each([
    [[], /a run folder expected, got none/],
    [['/nowhere/at/all'], /a run folder expected, got no such folder/],
    [[fileURLToPath(new URL('.', import.meta.url))], /a run folder .* expected, got one with/],
    [['x', '--methods', 'word'], /--methods expected markdown, latex, bibtex or nothing, got "word"/],
  ])('ends with one clear error for %j', async (args, expected) => {
    const { code, stdout, stderr } = await report(...(args as string[]));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^Error: /);
    expect(stderr).toMatch(expected);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
