import { describe, expect, it } from 'vitest';
import { secondsOf, timeNeed } from '../../src/train/time-need.ts';
import { plannedRun } from './planned-run.ts';
import { tinyRun } from './tiny-run.ts';

const speed = { flopPerSecond: 1e9, bytesPerSecond: 1e9, secondsPerNode: 1e-6 };

describe('how long a graph runs', () => {
  const work = { flop: () => 2e9, moved: () => 5e8, nodes: 1000 };

  it('is the time of its products, of what it moves, and of its nodes', () => {
    const seconds = (part: Partial<typeof speed>) =>
      secondsOf(
        work,
        {},
        {
          flopPerSecond: Number.POSITIVE_INFINITY,
          bytesPerSecond: Number.POSITIVE_INFINITY,
          secondsPerNode: 0,
          ...part,
        },
      );
    expect(seconds({ bytesPerSecond: 1e9 })).toBe(0.5);
    expect(seconds({ secondsPerNode: 1e-6 })).toBeCloseTo(0.001, 12);
    // Products in a graph are a little slower than one alone.
    expect(seconds({ flopPerSecond: 1e9 })).toBeGreaterThan(2);
    expect(seconds({ flopPerSecond: 1e9 })).toBeLessThan(2.5);
    expect(secondsOf(work, {}, speed)).toBeCloseTo(seconds({ flopPerSecond: 1e9 }) + 0.501, 9);
  });
});

describe('how long a run takes', () => {
  const cut = { recompute: true, maxTokens: 1024, cacheMemory: 1e9 };
  const passes = { epochs: 2, evaluations: 0, cacheRoom: 1e9 };

  it('is its epochs, its evaluations, and its pictures once', async () => {
    const { planner } = await plannedRun(tinyRun());
    const once = timeNeed(planner, cut, passes, speed);
    const scored = timeNeed(planner, cut, { ...passes, evaluations: 3 }, speed);
    expect(once.totalSeconds).toBeCloseTo(2 * once.secondsPerEpoch + once.vision.seconds, 9);
    expect(once.vision).toMatchObject({ once: true, pictures: 2 });
    expect(scored.vision.seconds).toBe(once.vision.seconds);
    expect(scored.totalSeconds).toBeCloseTo(once.totalSeconds + 3 * scored.evaluation.seconds, 9);
    expect(scored.efficiency).toBeGreaterThan(0);
    expect(scored.efficiency).toBeLessThan(1);
  });

  it('is longer where pictures cannot be kept: they are computed at every use', async () => {
    const { planner } = await plannedRun(tinyRun());
    const [kept, again] = [planner.keptBytes, planner.keptBytes - 1].map(
      (cacheRoom) => timeNeed(planner, cut, { ...passes, cacheRoom }, speed).vision,
    );
    // 16 pictures of this size go through the tower at once: two in one run, used at most so often.
    expect(again.once).toBe(false);
    expect(again.seconds).toBeGreaterThanOrEqual(kept.seconds);
  });

  it('is longer with recompute, by a forward pass of the layers', async () => {
    const { planner } = await plannedRun(tinyRun());
    const [again, kept] = [true, false].map(
      (recompute) => timeNeed(planner, { ...cut, recompute }, passes, speed).training.flop,
    );
    // Forward once, twice, and one pass back over frozen weights: 2 of 3 parts against 3.
    expect(again / kept).toBeGreaterThan(1.2);
    expect(again / kept).toBeLessThan(1.5);
  });

  it('computes no picture beside the step where the tower is trained in it', async () => {
    const { planner } = await plannedRun(tinyRun(), { set: ['lora.targetModules=all-linear'] });
    expect(timeNeed(planner, cut, passes, speed).vision).toMatchObject({ flop: 0, seconds: 0 });
  });
});
