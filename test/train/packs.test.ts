/** A pack gives the losses and gradients of its rows as separate samples: see docs/training.md, "Packs". */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { layOut } from '../../src/data/pack.ts';
import { stepsOfEpoch } from '../../src/data/sampler.ts';
import { course, type RowSize } from '../../src/train/course.ts';
import type { StepEvent } from '../../src/train/events.ts';
import { trainingLoop } from '../../src/train/loop.ts';
import { createSource } from '../../src/train/source.ts';
import type { CompiledStep, Sample } from '../../src/train/step.ts';
import { type DrawnPack, packOf, samplesOfPacks } from '../support/drawn-packs.ts';
import { loadForwardCase, relativeL2 } from '../support/parity.ts';
import { compileCase } from '../support/parity-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-packs-'));
const opened: CompiledStep[] = [];
afterAll(async () => {
  for (const step of opened) await step.close();
  rmSync(folder, { recursive: true });
});

async function modelOf(name: 'one-image' | 'gqa-wide' | 'vision-lora' | 'full', recompute = true) {
  const parity = loadForwardCase(name);
  const { step } = await compileCase(parity, parity.gradients, join(folder, name), { recompute });
  opened.push(step);
  return { parity, step };
}

const address = { seed: 1, step: 1 };

/** Summed in f64. */
async function separately(step: CompiledStep, samples: readonly Sample[]) {
  const losses: Float32Array[] = [];
  const gradients = new Map<string, Float64Array>();
  for (const { prefix: _, ...sample } of samples) {
    const alone = await step.gradients([sample], address);
    losses.push(alone.samples[0].losses);
    for (const [name, gradient] of alone.gradients) {
      const sum = gradients.get(name) ?? new Float64Array(gradient.length);
      gradients.set(
        name,
        sum.map((value, i) => value + gradient[i]),
      );
    }
  }
  return { losses, gradients };
}

const total = (losses: readonly Float32Array[]) =>
  losses.reduce((sum, row) => sum + row.reduce((own, loss) => own + loss, 0), 0);

async function expectSame(step: CompiledStep, samples: readonly Sample[]): Promise<void> {
  const expected = await separately(step, samples);
  const found = await step.gradients([...samples], address);
  const losses = found.samples.map((sample) => sample.losses);
  expect(Math.abs(total(losses) / total(expected.losses) - 1)).toBeLessThan(1e-6);
  losses.forEach((row, i) => {
    expect(relativeL2(row, expected.losses[i])).toBeLessThan(1e-5);
  });
  expect([...found.gradients.keys()].sort()).toEqual([...expected.gradients.keys()].sort());
  for (const [name, gradient] of expected.gradients)
    expect(relativeL2(found.gradients.get(name)!, gradient), name).toBeLessThan(1e-5);
  const scored = await step.evaluate([...samples]);
  scored.forEach((sample, i) => {
    expect(relativeL2(sample.losses, expected.losses[i])).toBeLessThan(1e-5);
  });
}

const rows = [
  { question: 3, answer: 2 },
  { question: 7, answer: 1 },
  { question: 0, answer: 5 },
  { question: 1, answer: 3 },
  { question: 9, answer: 4 },
  { question: 2, answer: 7 },
  { question: 0, answer: 1 },
  { question: 5, answer: 2 },
];
const pictures: [string, DrawnPack['grids']][] = [
  ['one picture', [[1, 4, 6]]],
  [
    'two pictures',
    [
      [1, 4, 4],
      [1, 2, 4],
    ],
  ],
];

describe.each(pictures)('a pack about %s', (_, grids) => {
  it.each([1, 3, 8])('with %i branches is its rows one by one', async (k) => {
    const { parity, step } = await modelOf('one-image');
    const samples = samplesOfPacks([{ grids, system: 4, rows: rows.slice(0, k) }], parity, 1);
    const { tokens, packs } = layOut(samples);
    expect(packs.map(({ branches }) => branches.length)).toEqual([k]);
    const separate = samples.reduce((sum, { encoded }) => sum + encoded.ids.length, 0);
    const shared = packs[0].prefix.end;
    expect(tokens).toBe(separate - Math.max(0, k - 1) * shared);
    await expectSame(step, samples);
  });
});

describe('drawn packs', () => {
  it.each(['one-image', 'gqa-wide'] as const)(
    'are their rows one by one, several in a run, about pictures or none: %s',
    async (name) => {
      const { parity, step } = await modelOf(name);
      const packs = fc.array(packOf({ min: 1, max: 5 }, { min: 0, max: 2 }), { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(packs, fc.nat(1000), (drawn, seed) =>
          expectSame(step, samplesOfPacks(drawn, parity, seed)),
        ),
        { numRuns: 12 },
      );
    },
  );

  it.each(['vision-lora', 'full'] as const)('are their rows where the tower is trained: %s', async (name) => {
    const { parity, step } = await modelOf(name);
    const packs = fc.array(packOf({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(packs, fc.nat(1000), (drawn, seed) =>
        expectSame(step, samplesOfPacks(drawn, parity, seed)),
      ),
      { numRuns: 6 },
    );
  });
});

describe('training on packs', () => {
  const pack = (grids: DrawnPack['grids'], k: number): DrawnPack => ({
    grids,
    system: 4,
    rows: rows.slice(0, k),
  });
  const data = [
    pack([[1, 4, 6]], 8),
    pack([[1, 4, 4]], 3),
    pack([[1, 2, 4]], 1),
    pack(
      [
        [1, 2, 2],
        [1, 4, 4],
      ],
      7,
    ),
    pack([], 5),
  ];

  /** 50 steps of 6 rows from a fresh adapter: groups of up to 8 rows are cut by nearly every step. */
  async function train(
    shuffle: boolean,
    { packed, dropout = 0, maxTokens = 60 }: { packed: boolean; dropout?: number; maxTokens?: number },
  ) {
    const parity = loadForwardCase('one-image');
    const place = join(folder, `training-${shuffle}`);
    const { step } = await compileCase(parity, parity.gradients, place, { recompute: true, dropout });
    const samples = samplesOfPacks(data, parity, 5);
    const sizes: RowSize[] = samples.map(({ encoded, prefix }, i) => ({
      tokens: encoded.ids.length,
      labelTokens: 1,
      pixelBytes: 0,
      pictures: encoded.grids.map((_, n) => `${prefix?.group ?? i} ${n}`),
      ...(packed && { prefix }),
    }));
    const groups = { of: (row: number) => samples[row].prefix?.group, mostRows: 4 };
    const options = { seed: 3, shuffle, accumulation: 6, groups };
    const events: StepEvent[] = [];
    const loop = trainingLoop({
      step,
      train: createSource(sizes, {
        load: async (i) => ({ ...samples[i], prefix: undefined }),
        lookAheadBytes: 0,
      }),
      gapRows: [],
      course: () =>
        course(sizes, {
          epochs: 13,
          maxSteps: 50,
          maxTokens,
          stepsOfEpoch: (epoch) => stepsOfEpoch([...sizes.keys()], { ...options, epoch }),
        }),
      settings: {
        totalSteps: 50,
        learningRate: 2e-3,
        schedule: 'linear',
        warmupSteps: 0,
        weightDecay: 0.01,
        maxGradNorm: 1,
        evaluateEvery: 1000,
        evaluateStart: false,
        bestBy: 'loss',
        maxTokens,
        seed: 1,
        recompute: true,
      },
      stopped: () => false,
    });
    for await (const event of loop) if (event.type === 'step') events.push(event);
    await step.close();
    return { events, trained: step.trainables };
  }

  it.each([true, false])(
    'has the same loss at each of 50 steps as without (shuffle: %s)',
    async (shuffle) => {
      const together = await train(shuffle, { packed: true });
      const alone = await train(shuffle, { packed: false });
      expect(together.events).toHaveLength(50);
      expect(alone.events).toHaveLength(50);
      const first = alone.events[0].loss;
      expect(alone.events[49].loss).toBeLessThan(0.9 * first);
      together.events.forEach((event, i) => {
        const other = alone.events[i];
        expect(Math.abs(event.loss - other.loss), `loss of step ${i + 1}`).toBeLessThan(1e-4);
        expect(Math.abs(event.gradNorm / other.gradNorm - 1)).toBeLessThan(1e-3);
        const { labelTokens, rows, pictures, rowTokens } = other;
        expect(event).toMatchObject({ labelTokens, rows, pictures, rowTokens });
        expect(other.tokens).toBe(rowTokens);
      });
      const tokens = (events: StepEvent[]) => events.reduce((sum, event) => sum + event.tokens, 0);
      expect(tokens(together.events)).toBeLessThan(0.8 * tokens(alone.events));
    },
  );

  it('draws the same dropout for the same packs, and once for what they share', async () => {
    const lossesOf = async (variant: Parameters<typeof train>[1]) =>
      (await train(false, variant)).events.map(({ loss }) => loss);
    const losses = await lossesOf({ packed: true, dropout: 0.2 });
    expect(await lossesOf({ packed: true, dropout: 0.2 })).toEqual(losses);
    expect(relativeL2(await lossesOf({ packed: false, dropout: 0.2 }), losses)).toBeGreaterThan(1e-4);
  });
});
