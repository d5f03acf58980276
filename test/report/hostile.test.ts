/** A run folder that somebody else made: whatever stands in it, everything that is told of it comes. */
import { describe, expect, it } from 'vitest';
import { type Stream, stream } from '../../src/random.ts';
import { calibrationOf } from '../../src/report/calibration.ts';
import { findingsOf } from '../../src/report/findings.ts';
import { methodsOf } from '../../src/report/methods.ts';
import { renderReport, reportPlots } from '../../src/report/page/report-page.ts';
import { readRun } from '../../src/report/read-run.ts';
import { lossByType, worstRows } from '../../src/report/row-figures.ts';
import { slideOf } from '../../src/report/slide.ts';
import { generatedRun, writeRun } from './generated-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const run = generatedRun({ steps: 48, evaluateEvery: 6, rows: 12 });

const hostile: unknown[] = [
  null,
  0,
  -1,
  1e308,
  -1e308,
  5e-324,
  2 ** 53,
  true,
  '',
  '<script>alert(1)</script>',
  '\u0000\u202e\ud800',
  '__proto__',
  [],
  {},
  [null],
  { value: 1 },
];

/** A copy with some of its values, at any depth, replaced or left out. */
function spoiled(value: unknown, draws: Stream, rate: number): unknown {
  if (draws.uniform() < rate) return hostile[draws.integer(hostile.length)];
  if (Array.isArray(value)) return value.map((item) => spoiled(item, draws, rate));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key]) => key === 'type' || key === 'versions' || draws.uniform() > rate,
  );
  return Object.fromEntries(
    kept.map(([key, item]) => [
      key,
      key === 'type' || key === 'versions' ? item : spoiled(item, draws, rate),
    ]),
  );
}

describe('a run folder with wrong values', () => {
  it.each([0.002, 0.01, 0.05])('is told without an error where a share of %d is spoiled', (rate) => {
    for (let seed = 0; seed < 12; seed++) {
      const draws = stream(seed, 'hostile', Math.round(rate * 1000));
      const folder = writeRun(temporaryFolder(), spoiledRun(draws, rate));
      const story = readRun(folder);
      const told = [
        findingsOf(story),
        methodsOf(story),
        calibrationOf(story.scores.last),
        lossByType(story.scores.last),
        worstRows(story.scores.last, 5).map(({ loss }) => loss),
        slideOf(story).markdown,
      ];
      expect(JSON.stringify(told)).not.toMatch(/undefined|NaN/);
      const markup = [renderReport(story), slideOf(story).svg, ...reportPlots(story).map(({ svg }) => svg)];
      for (const text of markup) expect(text).not.toContain('<script>alert');
    }
  });
});

function spoiledRun(draws: Stream, rate: number): typeof run {
  const record = spoiled(run.record, draws, rate) as typeof run.record;
  return {
    record: { ...record, versions: run.record.versions },
    events: run.events.map((event) => spoiled(event, draws, rate) as typeof event),
    start: run.start.map((row) => spoiled(row, draws, rate) as typeof row),
    last: run.last.map((row) => spoiled(row, draws, rate) as typeof row),
  };
}
