/** What `lorikeet evaluate` left in a run's folder, on the page of the run. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { evaluate } from '../../src/evaluate/evaluate.ts';
import type { Scorecard } from '../../src/evaluate/scorecard.ts';
import { stream } from '../../src/random.ts';
import { renderReport, reportSections } from '../../src/report/page/report-page.ts';
import { readRun } from '../../src/report/read-run.ts';
import { run } from '../../src/train/run.ts';
import { checkInside } from '../../src/watch/inside.ts';
import { percent } from '../../src/words.ts';
import { elementsOf } from '../support/markup.ts';
import { inProcess, tinyRun } from '../train/tiny-run.ts';
import { generatedRun, writeRun } from './generated-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const estimate = (value: number) => ({
  value,
  low: value - 0.05,
  high: value + 0.05,
  rows: 40,
  clusters: 20,
});
const scores = {
  answers: 40,
  exactMatch: estimate(0.7),
  tokenF1: estimate(0.75),
  floor: estimate(0.4),
  shuffled: estimate(0.45),
};
const card = {
  split: 'test',
  answers: 40,
  clusteredBy: 'group',
  clusters: 20,
  model: { model: '/m', adapter: '/r/best', reason: 'asked for' },
  overall: scores,
  types: [{ type: 'count', ...scores, answers: 12 }],
  floor: { verdict: '30.0 points above the floor.' },
  imageTest: { verdict: 'The score drops by 25.0 points on wrong pictures.', rightElsewhere: estimate(0.5) },
  cut: 1,
  lost: [{ row: 3, reason: 'bad' }],
};

const generated = generatedRun();

function folderWith(content: string | object, split = 'test'): string {
  const folder = writeRun(join(temporaryFolder(), 'run'), generated);
  mkdirSync(join(folder, `evaluation-${split}`));
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(folder, `evaluation-${split}/evaluation.json`), text);
  return folder;
}

function sectionOf(folder: string) {
  const found = reportSections(readRun(folder)).find(({ id }) => id === 'scores');
  return found && { html: found.html, text: elementsOf(found.html)[0].text };
}

describe('scored answers', () => {
  it('stand on the page with what they are to be held against', () => {
    const { text } = sectionOf(folderWith(card))!;
    expect(text).toContain('30.0 points above the floor. The score drops by 25.0 points on wrong pictures.');
    expect(text).toContain('all answers4070.0 %65.0 to 75.075.0 %40.0 %45.0 %');
    expect(text).toContain('count1270.0 %');
    expect(text).toContain('Intervals draw 20 groups, never rows.');
    expect(text).toContain('Right answers for those pictures would score 50.0 %.');
    expect(text).toContain('1 answer had not ended when it was cut. 1 row could not be scored.');
    expect(text).toContain('All 40 answers: evaluation-test/predictions.jsonl');
  });

  it('are those of the command, of a run that was evaluated', async () => {
    const folder = tinyRun();
    const config = await loadConfig(join(folder, 'config.yaml'));
    for await (const _ of run(config, inProcess));
    for await (const _ of evaluate(config, { maxNewTokens: 4 }));
    const kept: Scorecard = JSON.parse(
      readFileSync(join(folder, 'run/evaluation-validation/evaluation.json'), 'utf8'),
    );
    const story = readRun(join(folder, 'run'));
    expect(story.missing).toEqual([]);
    expect(story.scorecards).toMatchObject([{ split: 'validation', answers: 2, lost: 0 }]);
    const { text } = sectionOf(join(folder, 'run'))!;
    expect(text).toContain('The validation split');
    expect(text).toContain(kept.floor.verdict);
    expect(text).toContain(`all answers2${percent(kept.overall.exactMatch.value)}`);
    expect(text).toContain(kept.imageTest!.verdict);
  });

  it('are no section where nobody evaluated, or what is there cannot be read', () => {
    const folder = writeRun(join(temporaryFolder(), 'run'), generated);
    expect(sectionOf(folder)).toBeUndefined();
    expect(readRun(folder).missing).toEqual([]);
    for (const [content, words] of [
      ['{"split": "test"', 'evaluation-test/evaluation.json is not whole JSON'],
      [{ ...card, overall: { answers: 3 } }, 'is not as this version reads it (overall.exactMatch)'],
      [{ unfinished: {}, split: 'test', versions: { lorikeet: '0.1.0' } }, 'is not as this version reads it'],
      [[], 'is not as this version reads it'],
    ] as const) {
      const damaged = folderWith(content);
      expect(sectionOf(damaged)).toBeUndefined();
      expect(readRun(damaged).missing.join('\n')).toContain(words);
    }
  });

  it('never become markup, whatever their file says', () => {
    const evil = '<img src=x onerror=alert(1)>';
    const folder = folderWith({
      ...card,
      floor: { verdict: evil.repeat(1000) },
      imageTest: { verdict: evil },
      model: { model: evil, adapter: evil },
      types: Array.from({ length: 5000 }, (_, i) => ({ type: `${evil}${i}`, ...scores })),
    });
    const { html, text } = sectionOf(folder)!;
    expect(elementsOf(html).filter(({ name }) => name === 'img')).toEqual([]);
    expect(text).toContain('and 4,980 more types');
    expect(html.length).toBeLessThan(40_000);
  });

  it('are told without an error, whatever values their file has', () => {
    const hostile = [null, 0, -1, 1e308, true, '', '\u0000\u202e', [], {}, [null], { value: 1 }];
    const draws = stream(1, 'hostile scorecard');
    const spoil = (value: unknown): unknown => {
      if (draws.uniform() < 0.04) return hostile[draws.integer(hostile.length)];
      if (Array.isArray(value)) return value.map(spoil);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spoil(item)]));
    };
    let shown = 0;
    for (let i = 0; i < 60; i++) {
      const folder = folderWith(spoil(card) as object);
      const story = readRun(folder);
      shown += story.scorecards?.length ?? 0;
      expect((story.scorecards?.length ?? 0) + story.missing.length).toBeGreaterThan(0);
      expect(elementsOf(renderReport(story)).length).toBeGreaterThan(10);
    }
    expect(shown).toBeGreaterThan(0);
    expect(shown).toBeLessThan(60);
  });

  it('are not served where they are a link that leads out of the folder', () => {
    const folder = writeRun(join(temporaryFolder(), 'run'), generated);
    const elsewhere = folderWith(card);
    symlinkSync(join(elsewhere, 'evaluation-test'), join(folder, 'evaluation-test'));
    expect(() => checkInside(folder)).toThrow(
      'evaluation-test/evaluation.json expected to stand in the run folder',
    );
    expect(() => checkInside(elsewhere)).not.toThrow();
  });
});
