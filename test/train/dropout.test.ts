/** What LoRA's dropout promises of a whole run: its mask depends on seed, step, row, module and element alone. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { dropoutMask } from '../../src/graph/dropout.ts';
import { hash } from '../../src/random.ts';
import { run } from '../../src/train/run.ts';
import { loadTrainingCase, relativeL2, samplesOf } from '../support/parity.ts';
import { compileCase } from '../support/parity-model.ts';
import { trainCase, type Variant } from '../support/train-case.ts';
import { inProcess, tinyRun } from './tiny-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-dropout-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** LoRA in the decoder; LoRA in decoder, tower and merger. */
const cases = ['train-continue', 'train-cosine-vision'] as const;

describe.each(cases)('%s with dropout', (name) => {
  const train = (variant: Variant = {}) => trainCase(name, folder, { dropout: 0.1, maxSteps: 8, ...variant });

  it('gives the same losses, norms and adapter with recompute and without', async () => {
    const kept = await train({ recompute: false });
    const again = await train({ recompute: true });
    expectSame(again, kept, 1e-6);
  });

  it('drops the same elements however rows share a graph run', async () => {
    const alone = await train({ maxTokens: 1 });
    const together = await train({ maxTokens: 256, recompute: true });
    expectSame(together, alone, 1e-5);
  });

  it('drops others from another seed, and none at rate 0', async () => {
    const lossesOf = async (variant: Variant) => (await train(variant)).events.map(({ loss }) => loss);
    const losses = await lossesOf({});
    expect(await lossesOf({})).toEqual(losses);
    for (const variant of [{ settings: { seed: 2 } }, { dropout: 0 }]) {
      const others = await lossesOf(variant);
      expect(relativeL2(others, losses)).toBeGreaterThan(1e-4);
    }
  });

  it('gives gradients by another mask at every step, and by the same whatever stands beside a row', async () => {
    const parity = loadTrainingCase(name);
    const { step } = await compileCase(parity, parity.final, join(folder, name), { dropout: 0.1 });
    const [first, second] = samplesOf(parity);
    const lossesOf = async (samples: (typeof first)[], at: number) =>
      (await step.gradients(samples, { seed: 1, step: at })).samples.map(({ losses }) => losses);
    const [alone] = await lossesOf([first], 1);
    const beside = await lossesOf([second, first], 1);
    const later = await lossesOf([first], 2);
    const { losses: evaluated } = (await step.evaluate([first]))[0];
    await step.close();
    expect(relativeL2(beside[1], alone)).toBeLessThan(1e-5);
    expect(relativeL2(later[0], alone)).toBeGreaterThan(1e-4);
    expect(relativeL2(evaluated, alone)).toBeGreaterThan(1e-4);
  });
});

function expectSame(
  found: Awaited<ReturnType<typeof trainCase>>,
  expected: Awaited<ReturnType<typeof trainCase>>,
  tolerance: number,
): void {
  expected.events.forEach(({ loss, gradNorm }, i) => {
    expect(Math.abs(found.events[i].loss / loss - 1)).toBeLessThan(tolerance);
    expect(Math.abs(found.events[i].gradNorm / gradNorm - 1)).toBeLessThan(10 * tolerance);
  });
  expected.trained.forEach(({ name, values }, i) => {
    expect(relativeL2(found.trained[i].values, values), name).toBeLessThan(tolerance);
  });
}

/** Two runs of one config leave the same bytes; only what was timed differs. */
it('leaves the same adapter and metrics, byte for byte, after two runs from one seed', async () => {
  const [first, second] = [await leavings(), await leavings()];
  expect(second.metrics).toEqual(first.metrics);
  expect(first.metrics.at(-1)).toContain('"finished"');
  for (const file of ['adapter/adapter_model.safetensors', 'best/adapter_model.safetensors']) {
    expect(second.bytes(file).equals(first.bytes(file)), file).toBe(true);
  }
  for (const made of [first, second]) rmSync(made.place, { recursive: true });
});

const timings = ['tokensPerSecond', 'secondsLeft', 'seconds', 'memory', 'peakMemory'];

async function leavings() {
  const place = tinyRun({ train: { recompute: true, threads: 2 } });
  const config = await loadConfig(join(place, 'config.yaml'), { set: ['lora.dropout=0.1'] });
  for await (const _ of run(config, inProcess));
  const bytes = (file: string) => readFileSync(join(place, 'run', file));
  const metrics = bytes('metrics.jsonl')
    .toString()
    .trim()
    .split('\n')
    .map((line) => {
      const untimed = Object.entries(JSON.parse(line)).filter(([key]) => !timings.includes(key));
      return JSON.stringify(Object.fromEntries(untimed));
    });
  return { place, bytes, metrics };
}

describe('the mask', () => {
  const [rows, columns, rate] = [1500, 256, 0.1];
  const keysOf = (row: number) => Int32Array.from({ length: rows }, (_, t) => hash(42, 7, row, 'T', t) | 0);
  const droppedOf = (row: number, module: string) =>
    dropoutMask(keysOf(row), columns, { rate, salt: hash(module) | 0 }).map((x) => Number(x === 0));
  const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
  /** Standard deviations between a count of independent draws and what it was expected to be. */
  const deviations = (share: number, expected: number, count: number) =>
    Math.abs(share - expected) / Math.sqrt((expected * (1 - expected)) / count);

  it('drops the rate, in every row and column alike, and keeps the mean', () => {
    const mask = dropoutMask(keysOf(3), columns, { rate, salt: 5 });
    expect(new Set(mask)).toEqual(new Set([0, 1 / 0.9]));
    const dropped = droppedOf(3, 'q_proj');
    expect(deviations(mean(dropped), rate, dropped.length)).toBeLessThan(4);
    const along = (length: number, at: (i: number, j: number) => number, count: number) =>
      Array.from({ length }, (_, i) =>
        deviations(mean(Float64Array.from({ length: count }, (_, j) => dropped[at(i, j)])), rate, count),
      );
    for (const z of [
      along(rows, (t, d) => t * columns + d, columns),
      along(columns, (d, t) => t * columns + d, rows),
    ]) {
      const variance = z.reduce((sum, x) => sum + x * x, 0) / z.length;
      expect(variance).toBeGreaterThan(0.7);
      expect(variance).toBeLessThan(1.3);
      expect(Math.max(...z)).toBeLessThan(6);
    }
  });

  it.each<[string, (t: number, d: number) => number]>([
    ['the next column', (t, d) => t * columns + ((d + 1) % columns)],
    ['the next row', (t, d) => ((t + 1) % rows) * columns + d],
  ])('drops independently of %s', (_, neighbour) => {
    const dropped = droppedOf(3, 'q_proj');
    const both = dropped.map((x, i) => x * dropped[neighbour(Math.floor(i / columns), i % columns)]);
    expect(deviations(mean(both), rate ** 2, both.length)).toBeLessThan(5);
  });

  it.each<[string, number, string]>([
    ['of another row', 4, 'q_proj'],
    ['of another module', 3, 'k_proj'],
  ])('has nothing to do with that %s', (_, row, module) => {
    const [one, other] = [droppedOf(3, 'q_proj'), droppedOf(row, module)];
    expect(deviations(mean(one.map((x, i) => x * other[i])), rate ** 2, one.length)).toBeLessThan(5);
  });
});
