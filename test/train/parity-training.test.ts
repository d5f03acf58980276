/** 30 steps of the training loop held against 30 steps of the Hugging Face Trainer: see reference/parity. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StepEvent } from '../../src/train/events.ts';
import { decodeAll, type loadTrainingCase, relativeL2, trainingCases } from '../support/parity.ts';
import { tensorName } from '../support/parity-model.ts';
import { trainCase, type Variant } from '../support/train-case.ts';

const folder = mkdtempSync(join(tmpdir(), 'lorikeet-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));

const train = (name: (typeof trainingCases)[number], variant: Variant = {}) =>
  trainCase(name, folder, { recompute: (variant.maxTokens ?? 1) > 1, ...variant });

/** Largest difference of a step's loss, over the largest loss. */
function lossDifference(events: StepEvent[], parity: ReturnType<typeof loadTrainingCase>): number {
  const largest = Math.max(...parity.steps.map(({ loss }) => loss));
  return Math.max(...parity.steps.map(({ loss }, i) => Math.abs((events[i]?.loss ?? 0) - loss))) / largest;
}

describe.each(trainingCases)('%s', (name) => {
  it.each([1, 256])('steps as the Trainer does, %i tokens a micro-batch', async (maxTokens) => {
    const { parity, events, trained, start } = await train(name, { maxTokens });
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
