import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isReportFile, reportMark } from '../../src/train/report-files.ts';
import { checkOutput, openRunFolder } from '../../src/train/run-folder.ts';

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'lorikeet-report-files-'));
  folder = join(parent, 'run');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const record = { status: 'finished' as const, startedAt: '', versions: { lorikeet: '0.1.0' } };
const startRun = async () => (await openRunFolder(folder, record)).close();
const put = (name: string, text: string) => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
};

describe('a report in a run folder', () => {
  it('goes with its run when that is overwritten', async () => {
    await startRun();
    for (const name of ['report.html', 'plots/loss.svg', 'slide/slide.svg', 'slide/slide.md'])
      put(name, `x${reportMark}`);
    put('slide/slide.png', 'pixels');
    checkOutput(folder, true);
    await startRun();
    for (const name of ['report.html', 'plots', 'slide'])
      expect(existsSync(join(folder, name)), name).toBe(false);
  });

  it('takes no file with it that somebody else wrote', async () => {
    await startRun();
    put('report.html', 'my own page');
    put('plots/loss.svg', `x${reportMark}`);
    put('plots/mine.svg', '<svg/>');
    put('slide/slide.png', 'my own slide');
    await startRun();
    expect(readdirSync(join(folder, 'plots'))).toEqual(['mine.svg']);
    expect(existsSync(join(folder, 'report.html'))).toBe(true);
    expect(existsSync(join(folder, 'slide', 'slide.png'))).toBe(true);
  });

  it('is not looked for behind links', async () => {
    await startRun();
    const outside = join(parent, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'loss.svg'), `x${reportMark}`);
    symlinkSync(outside, join(folder, 'plots'));
    symlinkSync(join(outside, 'loss.svg'), join(folder, 'report.html'));
    await startRun();
    expect(existsSync(join(outside, 'loss.svg'))).toBe(true);
    expect(isReportFile(join(folder, 'report.html'))).toBe(false);
    expect(isReportFile(join(outside, 'loss.svg'))).toBe(true);
    expect(isReportFile(join(outside, 'absent.svg'))).toBe(false);
  });
});
