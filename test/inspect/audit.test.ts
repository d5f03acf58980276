/** Losses under other label rules, probabilities and likeliest tokens, held against transformers. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { type InspectOptions, inspect } from '../../src/inspect/inspection.ts';
import type { SeenRow } from '../../src/inspect/row.ts';
import { decode } from '../support/parity.ts';
import { type ReferenceBatch, reference, referenceRun } from './reference.ts';

async function seenRows(file: string, options: InspectOptions = {}): Promise<SeenRow[]> {
  const rows: SeenRow[] = [];
  for await (const row of inspect(await loadConfig(file), options)) rows.push(row as SeenRow);
  return rows;
}

const relative = (found: number, expected: number) => Math.abs(found / expected - 1);

describe('what a row is and costs', () => {
  it('has the tokens, probabilities and five likeliest tokens of torch', async () => {
    const rows = await seenRows(referenceRun());
    expect(rows).toHaveLength(reference.rows.length);
    rows.forEach(({ tokens }, i) => {
      const expected = reference.rows[i];
      expect(tokens.map(({ id }) => id)).toEqual(expected.ids);
      const labels = tokens.flatMap((token, t) => (token.label ? [{ ...token, t }] : []));
      expect(labels.map(({ t }) => t)).toEqual(expected.labels);
      const probabilities = decode(expected.probabilities);
      const top = decode(expected.topProbabilities);
      labels.forEach((token, n) => {
        expect(token.predictedFrom).toBe(token.t - 1);
        expect(relative(token.probability!, probabilities[n])).toBeLessThan(2e-5);
        expect(token.loss).toBeCloseTo(-Math.log(token.probability!), 10);
        expect(token.top.map(({ id }) => id)).toEqual(expected.topIds[n]);
        token.top.forEach(({ probability }, k) => {
          expect(relative(probability, top[5 * n + k])).toBeLessThan(2e-5);
        });
      });
    });
  });

  it('sums its label losses to what training and evaluation report', async () => {
    const [row] = await seenRows(referenceRun(), { rows: [0] });
    const losses = decode(reference.rows[0].allLosses);
    const sum = reference.rows[0].labels.reduce((total, t) => total + losses[t - 1], 0);
    expect(relative(row.sum!, sum)).toBeLessThan(1e-6);
    expect(row.loss).toBe(row.sum! / row.labelTokens);
  });
});

describe('another label rule beside ours', () => {
  it('all: has the loss of model(labels=input_ids.clone()) within 1e-5', async () => {
    const rows = await seenRows(referenceRun(), { labels: 'all' });
    rows.forEach(({ wouldBe, tokens }, i) => {
      const { ids, allLoss, allLosses } = reference.rows[i];
      expect(wouldBe).toMatchObject({ rule: 'all', labelTokens: ids.length - 1 });
      expect(relative(wouldBe!.loss!, allLoss)).toBeLessThan(1e-5);
      const expected = decode(allLosses);
      tokens.forEach((token, t) => {
        expect(token.wouldBe!.label).toBe(t > 0);
        if (t > 0) expect(relative(token.wouldBe!.loss!, expected[t - 1])).toBeLessThan(1e-5);
        if (!token.label) expect(token.loss).toBeNull();
      });
    });
  });

  it('all: gives the tokens and the share of the loss of each reason, which add up', async () => {
    const [{ wouldBe, tokens }] = await seenRows(referenceRun(), { labels: 'all', rows: [0] });
    const losses = decode(reference.rows[0].allLosses);
    const { byReason } = wouldBe!;
    const images = tokens.flatMap((token, t) => (!token.label && token.reason === 'image' ? [t] : []));
    expect(byReason.image).toMatchObject({ tokens: 6, trained: 0, wouldBeTrained: 6 });
    const share = images.reduce((sum, t) => sum + losses[t - 1], 0) / losses.reduce((sum, x) => sum + x, 0);
    expect(relative(byReason.image!.share!, share)).toBeLessThan(1e-5);
    const tallies = Object.values(byReason);
    expect(tallies.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(tokens.length);
    expect(tallies.reduce((sum, { share }) => sum + share!, 0)).toBeCloseTo(1, 10);
    expect(byReason.answer!.trained + byReason.end!.trained).toBe(reference.rows[0].labels.length);
    expect(byReason.header!.wouldBeTrained).toBe(byReason.header!.tokens - 1);
  });

  it('notImage: masks the image tokens alone, notPadding: nothing of a single row', async () => {
    const [notImage] = await seenRows(referenceRun(), { labels: 'notImage', rows: [0] });
    const expected = decode(reference.rows[0].allLosses);
    const kept = notImage.tokens.flatMap(({ id }, t) => (t > 0 && id !== 425 ? [expected[t - 1]] : []));
    expect(notImage.wouldBe!.labelTokens).toBe(kept.length);
    expect(relative(notImage.wouldBe!.loss!, kept.reduce((sum, x) => sum + x, 0) / kept.length)).toBeLessThan(
      1e-5,
    );
    const [notPadding] = await seenRows(referenceRun(), { labels: 'notPadding', rows: [0] });
    expect(relative(notPadding.wouldBe!.loss!, reference.rows[0].allLoss)).toBeLessThan(1e-5);
  });

  it.each(['right', 'left'] as const)(
    'a file: a batch padded on the %s has the loss of the model on it',
    async (side) => {
      const batch: ReferenceBatch = reference[side];
      const file = referenceRun();
      const dump = join(dirname(file), 'dump.json');
      for (const content of [batch.dump, { ...batch.dump, attention_mask: undefined }]) {
        writeFileSync(dump, JSON.stringify(content));
        const rows = await seenRows(file, { labels: dump });
        expect(rows.map(({ row }) => row)).toEqual([0, 1, 2]);
        const tokens = rows.reduce((sum, { wouldBe }) => sum + wouldBe!.labelTokens, 0);
        expect(tokens).toBe(batch.labelTokens);
        const sum = rows.reduce((total, { wouldBe }) => total + wouldBe!.loss! * wouldBe!.labelTokens, 0);
        expect(relative(sum / tokens, batch.loss)).toBeLessThan(1e-5);
        const longest = Math.max(...batch.dump.input_ids.map((ids) => ids.length));
        rows.forEach(({ wouldBe, tokens }) => {
          expect(wouldBe!.byReason.padding?.tokens ?? 0).toBe(longest - tokens.length);
          expect(wouldBe!.byReason.image!.wouldBeTrained).toBe(side === 'right' ? 0 : 6);
        });
      }
    },
  );
});
