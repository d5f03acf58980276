import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRun } from '../../src/report/read-run.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { writeSlide } from '../../src/report/write-slide.ts';
import { isReportFile } from '../../src/train/report-files.ts';
import { generatedRun, longRun, writeRun } from './generated-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const written = () => writeRun(join(temporaryFolder(), 'run'), generatedRun());

/** Every file under a folder with its bytes. */
function contents(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true }).map(String).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(join(folder, name), 'base64')]));
}

describe('writing a report', () => {
  it('puts the page and its plots into the run folder and leaves its own files as they were', async () => {
    const folder = written();
    const before = contents(folder);
    const { page, plots } = await writeReport(readRun(folder));
    expect(page).toBe(join(folder, 'report.html'));
    expect(plots.length).toBeGreaterThan(3);
    for (const plot of plots) {
      expect(plot.startsWith(join(folder, 'plots'))).toBe(true);
      expect(readFileSync(plot, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n<!-- lorikeet report -->\n$/);
    }
    expect(readFileSync(page, 'utf8')).toMatch(
      /^<!doctype html>[\s\S]*<\/html>\n<!-- lorikeet report -->\n$/,
    );
    const after = contents(folder);
    for (const [name, bytes] of before) expect(after.get(name), name).toBe(bytes);
    const added = [...after.keys()].filter((name) => !before.has(name));
    expect(added.every((name) => isReportFile(join(folder, name)))).toBe(true);
    expect(added).toHaveLength(1 + plots.length);
  });

  it('may be done again', async () => {
    const folder = written();
    const story = readRun(folder);
    await writeReport(story);
    await writeSlide(story);
    const before = contents(folder);
    await writeReport(readRun(folder));
    await writeSlide(readRun(folder));
    expect([...contents(folder).keys()]).toEqual([...before.keys()]);
  });

  it('puts both elsewhere where a file is named, folders made', async () => {
    const folder = written();
    const before = contents(folder);
    const out = join(temporaryFolder(), 'talks', 'first.html');
    const { page, plots } = await writeReport(readRun(folder), { out });
    expect(page).toBe(out);
    for (const plot of plots) expect(plot.startsWith(join(out, '..', 'first-plots'))).toBe(true);
    expect(contents(folder)).toEqual(before);
  });

  it('replaces nothing that somebody else wrote, and follows no link out of the folder', async () => {
    const folder = written();
    const story = readRun(folder);
    writeFileSync(join(folder, 'report.html'), 'my own');
    await expect(writeReport(story)).rejects.toThrow(
      /report.html: .*one that a report wrote, got another.*--out/,
    );
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toBe('my own');
    expect(existsSync(join(folder, 'plots'))).toBe(false);
    const outside = temporaryFolder();
    symlinkSync(outside, join(folder, 'slide'));
    await expect(writeSlide(story)).rejects.toThrow(/slide: a folder expected, got a link/);
    expect(readdirSync(outside)).toEqual([]);
    mkdirSync(join(folder, 'plots'));
    writeFileSync(join(folder, 'plots', 'mine.txt'), '');
    await writeReport(story, { out: join(folder, 'other.html') });
    expect(readdirSync(join(folder, 'plots'))).toEqual(['mine.txt']);
  });

  it('takes only names of pages, so that no file of a run can be meant', async () => {
    const folder = written();
    for (const name of ['run.json', '.html', 'report']) {
      await expect(writeReport(readRun(folder), { out: join(folder, name) })).rejects.toThrow(
        'to end in .html',
      );
    }
  });

  it('says which place cannot be written', async () => {
    const folder = written();
    const out = join(folder, 'run.json', 'report.html');
    await expect(writeReport(readRun(folder), { out })).rejects.toThrow(
      /run.json: a folder expected, got a file/,
    );
    const deeper = join(folder, 'run.json', 'deep', 'report.html');
    await expect(writeReport(readRun(folder), { out: deeper })).rejects.toThrow(
      /could not be written: .*--out/,
    );
  });

  it('of 10,000 steps and 50,000 validation tokens stays under 5 MB', async () => {
    const folder = writeRun(join(temporaryFolder(), 'long'), longRun());
    const story = readRun(folder);
    expect([story.steps.length, story.evaluations.at(-1)?.tokens]).toEqual([10_000, 50_000]);
    const { page, plots } = await writeReport(story);
    expect(statSync(page).size).toBeLessThan(5_000_000);
    for (const plot of plots) expect(statSync(plot).size).toBeLessThan(1_000_000);
  });
});

describe('writing a slide', () => {
  it('puts SVG, PNG and Markdown into a folder of its own', async () => {
    const folder = written();
    const files = await writeSlide(readRun(folder));
    expect(files).toEqual(['svg', 'png', 'md'].map((ending) => join(folder, 'slide', `slide.${ending}`)));
    const png = readFileSync(files[1]);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1920, 1080]);
    const elsewhere = join(temporaryFolder(), 'talk');
    expect(await writeSlide(readRun(folder), elsewhere)).toHaveLength(3);
    expect(readdirSync(elsewhere).sort()).toEqual(['slide.md', 'slide.png', 'slide.svg']);
  });
});
