import { describe, expect, it } from 'vitest';
import { cutsOf, firstThatFits } from '../../src/train/fit.ts';
import type { MemoryPlanner, RunCut } from '../../src/train/memory-need.ts';

const words = { recompute: true, maxTokens: 1024, cacheMemory: 0, keepsOnDisk: true };
const cuts = (...written: ('recompute' | 'maxTokens')[]) =>
  cutsOf({ ...words, written: new Set(written) }).map(
    ({ recompute, maxTokens }) => `${recompute ? 'again' : 'kept'} ${maxTokens}`,
  );

describe('the ways a run can be cut', () => {
  it('keep activations first, then compute them again, then run fewer tokens together', () => {
    expect(cuts()).toEqual(['kept 1024', 'again 1024', 'again 768', 'again 512', 'again 256', 'again 128']);
  });

  it('leave what was written as it is', () => {
    expect(cuts('maxTokens')).toEqual(['kept 1024', 'again 1024']);
    expect(cuts('recompute')).toEqual(['again 1024', 'again 768', 'again 512', 'again 256', 'again 128']);
    expect(cuts('recompute', 'maxTokens')).toEqual(['again 1024']);
  });

  it('cut no run below 64 tokens, unless it was so asked', () => {
    const lengths = (maxTokens: number) =>
      cutsOf({ ...words, maxTokens, written: new Set(['recompute']) }).map((cut) => cut.maxTokens);
    expect(lengths(100)).toEqual([100, 75]);
    expect(lengths(10)).toEqual([10]);
  });

  it('keep pictures in memory before on disk alone, where they are on disk', () => {
    const caches = (changes: object) =>
      cutsOf({ ...words, cacheMemory: 1e9, written: new Set(['recompute', 'maxTokens']), ...changes }).map(
        (cut) => cut.cacheMemory,
      );
    expect(caches({})).toEqual([1e9, 64e6]);
    expect(caches({ keepsOnDisk: false })).toEqual([1e9]);
    expect(caches({ cacheMemory: 50e6 })).toEqual([50e6]);
    expect(caches({ written: new Set(['recompute', 'maxTokens', 'cacheMemory']) })).toEqual([1e9]);
  });
});

it('takes the first that fits and tells what the others needed', () => {
  const needs = ({ recompute, maxTokens }: RunCut) => ({ total: maxTokens * (recompute ? 1 : 10) });
  const planner = { need: needs } as unknown as MemoryPlanner;
  const all = cutsOf({ ...words, written: new Set() });
  const { fits, tried } = firstThatFits(planner, all, 800);
  expect(fits).toEqual({ recompute: true, maxTokens: 768, cacheMemory: 0, need: { total: 768 } });
  expect(tried.map(({ need }) => need.total)).toEqual([10240, 1024, 768]);
  expect(firstThatFits(planner, all, 100).fits).toBeUndefined();
});
