/** What a whole run says of the prefixes that its rows share, and that nothing else of it changes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { describeSharing, dropoutNotice } from '../../src/train/describe-sharing.ts';
import type { TrainEvent } from '../../src/train/events.ts';
import { run } from '../../src/train/run.ts';
import { inProcess, tinyRun } from './tiny-run.ts';

/** Rows of pictures a b a a b, two a step: only the second step has two of one picture. */
async function runOf(pack: object, lora = {}, train = {}) {
  const folder = tinyRun({ train: { shuffle: false, epochs: 1, ...train }, pack });
  const config = await loadConfig(join(folder, 'config.yaml'), {
    set: Object.entries(lora).map(([word, value]) => `lora.${word}=${value}`),
  });
  const events: TrainEvent[] = [];
  for await (const event of run(config, inProcess)) events.push(event);
  const lines = readFileSync(join(folder, 'run/scores/last.jsonl'), 'utf8').trim().split('\n');
  return {
    start: events.find((event) => event.type === 'start')!,
    steps: events.filter((event) => event.type === 'step'),
    evaluation: events.find((event) => event.type === 'evaluate')!,
    notices: events.flatMap((event) => (event.type === 'notice' ? [event.text] : [])),
    scored: lines.map((line) => JSON.parse(line) as { split: string; row: number }),
    record: JSON.parse(readFileSync(join(folder, 'run/run.json'), 'utf8')),
  };
}

describe('a run that shares pictures', () => {
  it('does what one without does, on fewer tokens, and says so', async () => {
    const [together, alone] = [await runOf({}), await runOf({ shareImages: false })];
    expect(together.steps).toHaveLength(3);
    together.steps.forEach((step, i) => {
      const { loss, gradNorm, labelTokens, rows, pictures, rowTokens } = alone.steps[i];
      expect(step).toMatchObject({ labelTokens, rows, pictures, rowTokens });
      expect(Math.abs(step.loss / loss - 1)).toBeLessThan(1e-5);
      expect(Math.abs(step.gradNorm / gradNorm - 1)).toBeLessThan(1e-4);
    });
    expect(together.steps.map(({ pictures }) => pictures)).toEqual([2, 1, 1]);
    const shared = together.steps.map(({ tokens, rowTokens }) => rowTokens - tokens);
    expect(shared).toEqual([0, expect.any(Number), 0]);
    expect(shared[1]).toBeGreaterThan(0);
    expect(alone.steps.every(({ tokens, rowTokens }) => tokens === rowTokens)).toBe(true);
    expect(Math.abs(together.evaluation.loss / alone.evaluation.loss - 1)).toBeLessThan(1e-5);

    const rowTokens = together.steps.reduce((sum, step) => sum + step.rowTokens, 0);
    const sharing = { rows: 5, rowTokens, tokens: rowTokens - shared[1], picturesPerStep: 4 / 3 };
    expect(together.start.sharing).toEqual(sharing);
    expect(together.record.sharing).toEqual(sharing);
    const decisionOf = ({ start }: typeof together, what: string) =>
      start.decisions.find((decision) => decision.what === what);
    expect(decisionOf(together, 'pictures a step')?.value).toBe(1.3);
    expect(decisionOf(together, 'tokens computed')?.value).toBe(sharing.tokens);
    expect(decisionOf(alone, 'tokens computed')?.reason).toContain('computed whole');
  });

  it.each(['groups', 'rows'])('shuffles as one without does (pack.order: %s)', async (order) => {
    const train = { shuffle: true, epochs: 3 };
    const [together, alone] = [
      await runOf({ order }, {}, train),
      await runOf({ order, shareImages: false }, {}, train),
    ];
    together.steps.forEach((step, i) => {
      expect(Math.abs(step.loss - alone.steps[i].loss), `loss of step ${i + 1}`).toBeLessThan(1e-4);
    });
    expect(together.start.sharing).toEqual({ ...alone.start.sharing, tokens: expect.any(Number) });
  });

  it('scores rows in the order of their file, wherever they ran', async () => {
    const { scored } = await runOf({});
    const rowsOf = (split: string) => scored.filter((row) => row.split === split).map(({ row }) => row);
    expect(rowsOf('validation')).toEqual([0, 1]);
    expect(rowsOf('train')).toEqual([0, 1, 2, 3, 4]);
  });

  it('says that dropout acts once on what is shared, where there is both', async () => {
    const { notices } = await runOf({}, { dropout: 0.1 });
    expect(notices).toContainEqual(expect.stringContaining('lora.dropout 0.1 acts once'));
    for (const none of [await runOf({}), await runOf({ shareImages: false }, { dropout: 0.1 })])
      expect(none.notices).not.toContainEqual(expect.stringContaining('dropout'));
  });
});

describe('what is said of sharing', () => {
  const sharing = { rows: 100, rowTokens: 40_000, tokens: 10_000, picturesPerStep: 2.04 };
  const pack = { shareImages: true, maxTokens: 1024, maxBranches: 8, order: 'groups' };
  const words = (changes: object, shuffle = true) =>
    ({ pack: { ...pack, ...changes }, train: { shuffle, gradientAccumulation: 16 } }) as never;

  it.each<[string, object, boolean, string]>([
    ['groups', {}, true, 'up to 8 rows about the same pictures stay together'],
    ['rows', { order: 'rows' }, true, 'every row is shuffled by itself'],
    ['nothing shared', { shareImages: false }, true, 'up to 8 rows about the same pictures stay together'],
    ["the file's order", {}, false, "rows come in the file's order"],
  ])('%s', (_, changes, shuffle, reason) => {
    const [pictures, tokens] = describeSharing(words(changes, shuffle), sharing);
    expect(pictures).toMatchObject({ value: 2, reason: expect.stringContaining(reason) });
    expect(tokens).toMatchObject({ value: 10_000, reason: expect.stringContaining('75.0 % less') });
  });

  it('names no pictures where there are none', () => {
    const decisions = describeSharing(words({}), { ...sharing, picturesPerStep: 0 });
    expect(decisions.map(({ what }) => what)).toEqual(['tokens computed']);
  });

  it('is silent on dropout where none acts', () => {
    expect(dropoutNotice(0, sharing)).toEqual([]);
    expect(dropoutNotice(0.1, { ...sharing, tokens: 40_000 })).toEqual([]);
    expect(dropoutNotice(0.1, sharing)).toHaveLength(1);
  });
});
