/** 30 steps of the training loop held against 30 steps of the Hugging Face Trainer: see reference/parity. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stepsOfEpoch } from '../../src/data/sampler.ts';
import { countSteps, course } from '../../src/train/course.ts';
import type { StepEvent } from '../../src/train/events.ts';
import { type LoopSettings, trainingLoop } from '../../src/train/loop.ts';
import { createSource } from '../../src/train/source.ts';
import { decodeAll, loadTrainingCase, relativeL2, samplesOf, trainingCases } from '../support/parity.ts';
import { compileCase, tensorName } from '../support/parity-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Variant {
  settings?: Partial<LoopSettings>;
  packTokens?: number;
  /** Rows that are dropped so that no step is smaller. */
  withoutRemainder?: boolean;
}

async function train(
  name: (typeof trainingCases)[number],
  { settings = {}, packTokens = 1, withoutRemainder }: Variant = {},
) {
  const parity = loadTrainingCase(name);
  const { epochs, gradientAccumulation: accumulation, ...words } = parity.training;
  const samples = samplesOf(parity);
  const { step } = await compileCase(parity, parity.final, join(folder, name), { recompute: packTokens > 1 });
  const start = new Map(step.trainables.map((tensor) => [tensor.name, tensor.values.slice()]));
  const sizes = samples.map(({ encoded }) => ({ tokens: encoded.ids.length, labelTokens: 1, pixelBytes: 0 }));
  const used = withoutRemainder ? samples.length - (samples.length % accumulation) : samples.length;
  const rows = [...samples.keys()].slice(0, used);
  const events: StepEvent[] = [];
  const loop = trainingLoop({
    step,
    train: createSource(sizes, { load: async (index) => samples[index], lookAheadBytes: 0 }),
    course: () =>
      course(sizes, {
        epochs,
        packTokens,
        stepsOfEpoch: (epoch) => stepsOfEpoch(rows, { epoch, seed: 1, shuffle: false, accumulation }),
      }),
    settings: {
      ...words,
      totalSteps: countSteps(used, accumulation, epochs),
      evaluateEvery: 1000,
      packTokens,
      seed: 1,
      recompute: true,
      ...settings,
    },
    stopped: () => false,
  });
  for await (const event of loop) if (event.type === 'step') events.push(event);
  await step.close();
  return { parity, events, trained: step.trainables, start };
}

/** Largest difference of a step's loss, over the largest loss. */
function lossDifference(events: StepEvent[], parity: ReturnType<typeof loadTrainingCase>): number {
  const largest = Math.max(...parity.steps.map(({ loss }) => loss));
  return Math.max(...parity.steps.map(({ loss }, i) => Math.abs((events[i]?.loss ?? 0) - loss))) / largest;
}

describe.each(trainingCases)('%s', (name) => {
  it.each([1, 256])('steps as the Trainer does, %i tokens a micro-batch', async (packTokens) => {
    const { parity, events, trained, start } = await train(name, { packTokens });
    expect(events.map(({ labelTokens }) => labelTokens)).toEqual(
      parity.steps.map(({ labelTokens }) => labelTokens),
    );
    expect(lossDifference(events, parity)).toBeLessThan(1e-5);
    events.forEach(({ learningRate, gradNorm }, i) => {
      expect(learningRate).toBeCloseTo(parity.steps[i].learningRate, 15);
      expect(Math.abs(gradNorm / parity.steps[i].gradNorm - 1)).toBeLessThan(1e-4);
    });
    const found = new Map(trained.map((tensor) => [tensor.name, tensor.values]));
    const final = decodeAll(parity.final);
    expect(found.size).toBe(final.size);
    for (const [key, expected] of final) {
      const values = found.get(tensorName(key))!;
      const from = start.get(tensorName(key))!;
      expect(relativeL2(values, expected), key).toBeLessThan(1e-5);
      const movement = (to: Float32Array) => to.map((value, i) => value - from[i]);
      expect(relativeL2(movement(values), movement(expected)), key).toBeLessThan(1e-3);
    }
  });
});

describe('a rule that is switched off shows', () => {
  const switches: [string, (typeof trainingCases)[number], Variant][] = [
    ['weight decay', 'train-continue', { settings: { weightDecay: 0 } }],
    ['clipping', 'train-fresh', { settings: { maxGradNorm: Number.POSITIVE_INFINITY } }],
    ['warm-up', 'train-fresh', { settings: { warmupSteps: 0 } }],
    ["the epoch's smaller last step", 'train-fresh', { withoutRemainder: true }],
  ];
  it.each(switches)('%s', async (_, name, variant) => {
    const { parity, events } = await train(name, variant);
    expect(lossDifference(events, parity)).toBeGreaterThan(1e-4);
  });
});
