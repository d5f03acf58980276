/** The training loop over a parity case: its samples in their order, its words, from its first adapter. */
import { join } from 'node:path';
import { stepsOfEpoch } from '../../src/data/sampler.ts';
import { countSteps, course } from '../../src/train/course.ts';
import type { StepEvent } from '../../src/train/events.ts';
import { trainingLoop } from '../../src/train/loop.ts';
import type { LoopSettings } from '../../src/train/loop-state.ts';
import { createSource } from '../../src/train/source.ts';
import type { Trainable } from '../../src/train/step.ts';
import { loadTrainingCase, samplesOf, type TrainingCase, type trainingCases } from './parity.ts';
import { compileCase } from './parity-model.ts';

export interface Variant {
  settings?: Partial<LoopSettings>;
  /** 1: every row runs alone. */
  maxTokens?: number;
  recompute?: boolean;
  dropout?: number;
  /** The run ends here. */
  maxSteps?: number;
  /** Rows that are dropped so that no step is smaller. */
  withoutRemainder?: boolean;
}

export interface TrainedCase {
  parity: TrainingCase;
  events: StepEvent[];
  trained: Trainable[];
  /** The values before the first step, by tensor name. */
  start: Map<string, Float32Array>;
}

/** @param folder where the case's checkpoint is written. */
export async function trainCase(
  name: (typeof trainingCases)[number],
  folder: string,
  { settings = {}, maxTokens = 1, maxSteps, withoutRemainder, ...compiled }: Variant = {},
): Promise<TrainedCase> {
  const parity = loadTrainingCase(name);
  const { epochs, gradientAccumulation: accumulation, ...words } = parity.training;
  const samples = samplesOf(parity);
  const { step } = await compileCase(parity, parity.final, join(folder, name), compiled);
  const start = new Map(step.trainables.map((tensor) => [tensor.name, tensor.values.slice()]));
  const sizes = samples.map(({ encoded }) => ({ tokens: encoded.ids.length, labelTokens: 1, pixelBytes: 0 }));
  const used = withoutRemainder ? samples.length - (samples.length % accumulation) : samples.length;
  const rows = [...samples.keys()].slice(0, used);
  const events: StepEvent[] = [];
  const loop = trainingLoop({
    step,
    train: createSource(sizes, { load: async (index) => samples[index], lookAheadBytes: 0 }),
    gapRows: [],
    course: () =>
      course(sizes, {
        epochs,
        maxSteps,
        maxTokens,
        stepsOfEpoch: (epoch) => stepsOfEpoch(rows, { epoch, seed: 1, shuffle: false, accumulation }),
      }),
    settings: {
      ...words,
      totalSteps: countSteps(used, accumulation, epochs, maxSteps),
      evaluateEvery: 1000,
      evaluateStart: false,
      bestBy: 'loss',
      maxTokens,
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
