import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRun } from '../src/report/read-run.ts';
import { writeReport } from '../src/report/write-report.ts';
import { longRun, writeRun } from '../test/report/generated-run.ts';
import type { Bench, BenchOptions } from './bench.ts';

export interface ReportResult {
  steps: number;
  validationTokens: number;
  /** Seconds: reading the folder, writing page and plots. */
  read: number;
  write: number;
  /** Of the page. */
  megabytes: number;
}

export const report: Bench<ReportResult> = {
  run: benchReport,
  tell: ({ steps, validationTokens, read, write, megabytes }) => [
    `The report of a run with ${steps} steps and ${validationTokens} validation tokens`,
    `  read ${read.toFixed(2)} s, written ${write.toFixed(2)} s, ${megabytes.toFixed(2)} MB`,
  ],
};

/** The report of a long run, from its folder to its page: the median round. */
async function benchReport({ rounds }: BenchOptions): Promise<ReportResult> {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-bench-report-'));
  try {
    const run = longRun();
    writeRun(folder, run);
    const results: ReportResult[] = [];
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now();
      const story = readRun(folder);
      const read = performance.now();
      const { page } = await writeReport(story);
      const written = performance.now();
      results.push({
        steps: story.steps.length,
        validationTokens: story.evaluations.at(-1)?.tokens ?? 0,
        read: (read - begun) / 1000,
        write: (written - read) / 1000,
        megabytes: statSync(page).size / 1e6,
      });
    }
    results.sort((a, b) => a.read + a.write - b.read - b.write);
    return results[rounds >> 1];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
