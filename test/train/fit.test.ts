import { describe, expect, it } from 'vitest';
import { cutsOf, firstThatFits } from '../../src/train/fit.ts';
import type { MemoryPlanner, RunCut } from '../../src/train/memory-need.ts';

const words = { recompute: true, maxTokens: 1024 };
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
    expect(cutsOf({ recompute: true, maxTokens: 100, written: new Set(['recompute']) })).toEqual([
      { recompute: true, maxTokens: 100 },
      { recompute: true, maxTokens: 75 },
    ]);
    expect(cutsOf({ recompute: true, maxTokens: 10, written: new Set(['recompute']) })).toEqual([
      { recompute: true, maxTokens: 10 },
    ]);
  });
});

it('takes the first that fits and tells what the others needed', () => {
  const needs = ({ recompute, maxTokens }: RunCut) => ({ total: maxTokens * (recompute ? 1 : 10) });
  const planner = { need: needs } as unknown as MemoryPlanner;
  const all = cutsOf({ ...words, written: new Set() });
  const { fits, tried } = firstThatFits(planner, all, 800);
  expect(fits).toEqual({ recompute: true, maxTokens: 768, need: { total: 768 } });
  expect(tried.map(({ need }) => need.total)).toEqual([10240, 1024, 768]);
  expect(firstThatFits(planner, all, 100).fits).toBeUndefined();
});
