import { dirname, join, resolve } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { reportFiles } from '../train/report-files.ts';
import { renderReport, reportPlots } from './page/report-page.ts';
import { checkReportFile, writeReportFile } from './report-output.ts';
import type { RunStory } from './run-story.ts';

export interface ReportOptions {
  /** The page's file, `.html`; `report.html` in the run folder where it is not named. */
  out?: string;
}

export interface WrittenReport {
  page: string;
  /** SVG files. */
  plots: string[];
}

/**
 * Writes a run's page and its plots: `report.html` and `plots/` in the run folder, or `NAME.html` and `NAME-plots/`
 * elsewhere. The run's own files are not touched. Throws `run` where a place cannot be written or holds a file that no
 * report wrote.
 */
export async function writeReport(story: RunStory, options: ReportOptions = {}): Promise<WrittenReport> {
  const page = resolve(options.out ?? join(story.folder, reportFiles.page));
  if (!/[^/\\]\.html$/i.test(page)) {
    throw new LorikeetError('run', {
      file: options.out,
      what: 'a file for the report expected to end in .html, got another name',
      fix: 'Name a file: --out report.html.',
    });
  }
  const folder =
    options.out === undefined ? join(dirname(page), reportFiles.plots) : `${page.slice(0, -5)}-plots`;
  const plots = reportPlots(story).map(({ name, svg }) => ({ file: join(folder, `${name}.svg`), svg }));
  for (const file of [page, ...plots.map((plot) => plot.file)]) checkReportFile(file);
  await writeReportFile(page, renderReport(story));
  for (const { file, svg } of plots) await writeReportFile(file, svg);
  return { page, plots: plots.map(({ file }) => file) };
}
