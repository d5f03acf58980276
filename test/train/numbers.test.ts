/** Numbers that go wrong, and those that only look so: the watch over a run's norms and losses. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import { stream } from '../../src/random.ts';
import type { WarningEvent } from '../../src/train/events.ts';
import {
  leaveOut,
  lookAtStep,
  type NumbersPolicy,
  type NumbersState,
  startNumbers,
} from '../../src/train/numbers.ts';

const policy: NumbersPolicy = {
  onNotFinite: 'stop',
  explosion: 10,
  onExplosion: 'warn',
  onStuck: 'warn',
  vocabulary: 1000,
  warmupSteps: 0,
};

const rows = [
  { row: 3, loss: 0.5 },
  { row: 17, loss: 14.2 },
  { row: 8, loss: 1 },
  { row: 9, loss: 2 },
];

interface Course {
  norms: (t: number) => number;
  losses?: (t: number) => number;
  steps?: number;
  changes?: Partial<NumbersPolicy>;
  state?: NumbersState;
}

/** Steps from 1 through the watch; what it says of them. */
function watched({ norms, losses = () => 1, steps = 400, changes, state = startNumbers() }: Course) {
  const warnings: WarningEvent[] = [];
  const leftOut: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const numbers = { step, loss: losses(step), norm: norms(step), rows, file: 'train.jsonl' };
    const { apply, warnings: said } = lookAtStep(state, { ...policy, ...changes }, numbers);
    warnings.push(...said);
    if (!apply) leftOut.push(step);
  }
  return { warnings, leftOut, state };
}

const noise = (name: string, sigma: number) => {
  const draws = stream(7, name);
  return () => Math.exp(sigma * draws.normal());
};

describe('a gradient that explodes', () => {
  it('is told with the step, the multiple and the rows that cost the most', () => {
    const { warnings, leftOut } = watched({ norms: (t) => (t === 100 ? 42 : 2) });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      kind: 'explosion',
      step: 100,
      applied: true,
      file: 'train.jsonl',
      rows: [rows[1], rows[3], rows[2]],
    });
    expect(warnings[0].text).toMatch(/norm 42\.000 is 21\.000 times the median of the last steps \(2\.000\)/);
    expect(warnings[0].text).toContain('row 17 (loss 14.200), row 9 (loss 2.000), row 8 (loss 1.000)');
    expect(leftOut).toEqual([]);
  });

  it.each([
    ['19.9 at a median of 2', 19.9, []],
    ['20.1 at a median of 2', 20.1, [100]],
  ])('begins above ten times the median: %s', (_, norm, steps) => {
    const { warnings } = watched({ norms: (t) => (t === 100 ? norm : 2) });
    expect(warnings.map(({ step }) => step)).toEqual(steps);
  });

  it('is seen where it doubles from step to step, and goes on being seen', () => {
    const { warnings } = watched({ norms: (t) => (t < 100 ? 1 : 2 ** (t - 99)), steps: 110 });
    // 2, 4, 8, 16: the fourth is the first above ten.
    expect(warnings.map(({ step }) => step)).toEqual([103, 104, 105, 106, 107, 108, 109, 110]);
  });

  it('waits for twenty norms, and looks for none where the multiple is 0', () => {
    expect(watched({ norms: (t) => (t === 20 ? 1e6 : 1), steps: 20 }).warnings).toEqual([]);
    expect(watched({ norms: (t) => (t === 21 ? 1e6 : 1), steps: 21 }).warnings).toHaveLength(1);
    expect(watched({ norms: (t) => (t === 50 ? 1e6 : 1), changes: { explosion: 0 } }).warnings).toEqual([]);
  });

  it('loses its update under skip, again and again', () => {
    const { leftOut, warnings } = watched({
      norms: (t) => (t % 60 === 0 ? 1000 : 1),
      changes: { onExplosion: 'skip' },
    });
    expect(leftOut).toEqual([60, 120, 180, 240, 300, 360]);
    expect(warnings[0]).toMatchObject({ applied: false, text: expect.stringContaining('left out') });
  });

  it('ends the run under stop, with its rows', () => {
    const run = () => watched({ norms: (t) => (t === 100 ? 42 : 2), changes: { onExplosion: 'stop' } });
    expect(run).toThrow(LorikeetError);
    expect(run).toThrow(/^train\.jsonl, step 100, rows 17, 9, 8: the gradient norm 42/);
  });

  it.each<[string, Course]>([
    ['a norm that scatters by half', { norms: () => scatter(), steps: 2000 }],
    [
      'a warm-up and the start of an adapter',
      { norms: (t) => 0.05 * Math.min(t, 60) * scatter(), steps: 2000 },
    ],
    [
      'a run that has learned nearly all, with a hard row in every eighth step',
      {
        norms: (t) => (t % 8 === 0 ? 3 : 0.01 * Math.exp(-t / 400)) * scatter(),
        steps: 2000,
      },
    ],
    ['a norm that falls to a thousandth', { norms: (t) => Math.exp(-t / 200) * scatter(), steps: 1400 }],
    ['norms of zero', { norms: () => 0 }],
  ])('is not seen in %s', (_, course) => {
    expect(watched(course).warnings).toEqual([]);
  });

  it('is seen alike by a run that was stored as JSON and went on', () => {
    const norms = (t: number) => (t % 130 === 0 ? 200 : 1 + (t % 7));
    const whole = watched({ norms, losses: () => Math.log(1000) });
    const first = watched({ norms, losses: () => Math.log(1000), steps: 123 });
    const state = JSON.parse(JSON.stringify(first.state)) as NumbersState;
    const rest = watched({ norms: (t) => norms(t + 123), losses: () => Math.log(1000), steps: 277, state });
    expect([...first.warnings, ...rest.warnings.map((w) => ({ ...w, step: w.step + 123 }))]).toEqual(
      whole.warnings.map((warning) => warning),
    );
    expect(rest.state).toEqual(whole.state);
  });
});

const scatter = noise('norms', 0.5);

describe('a loss that stays at ln V', () => {
  const uniform = Math.log(1000); // 6.908
  const still = (loss: (t: number) => number, changes?: Partial<NumbersPolicy>, steps = 400) =>
    watched({ norms: () => 1, losses: loss, changes, steps }).warnings;

  it('is told once, after fifty steps', () => {
    const warnings = still((t) => uniform * (1 + 0.02 * Math.sin(t)));
    expect(warnings.map(({ step, kind }) => [step, kind])).toEqual([[50, 'stuck']]);
    expect(warnings[0].text).toMatch(/within 3\.0 % of ln 1000 = 6\.908/);
  });

  it('counts from the end of the warm-up', () => {
    expect(still(() => uniform, { warmupSteps: 100 })[0].step).toBe(150);
    expect(still((t) => (t <= 100 ? uniform : uniform * 0.9), { warmupSteps: 100 })).toEqual([]);
  });

  it('ends the run under stop', () => {
    expect(() => still(() => uniform, { onStuck: 'stop' })).toThrow(
      /^step 50: the loss of the last 50 steps/,
    );
  });

  it.each<[string, (t: number) => number]>([
    ['a model that begins from nothing and learns', (t) => uniform * Math.exp(-t / 300)],
    ['a loss 4 % below', () => uniform * 0.96],
    ['a loss 4 % above', () => uniform * 1.04],
    ['a usual loss', () => 1.3],
  ])('is not seen in %s', (_, loss) => {
    expect(still(loss)).toEqual([]);
  });
});

/** Steps of demo/demo.yaml with 16, 4 and 1 rows a step, at learning rates of 2e-3, 1e-3 and 5e-4: all of them learn. */
describe('the norms and losses of the demo', () => {
  const { vocabulary, runs } = JSON.parse(readFileSync('test/fixtures/numbers/demo.json', 'utf8'));

  it.each(Object.keys(runs))('with %s rows a step give no warning', (rowsOfStep) => {
    const { norms, losses } = runs[rowsOfStep];
    const { warnings } = watched({
      norms: (t) => norms[t - 1],
      losses: (t) => losses[t - 1],
      steps: norms.length,
      changes: { vocabulary, warmupSteps: 10 },
    });
    expect(warnings).toEqual([]);
  });

  it('stand ten times above the median where a step is one row, which is why what came before counts too', () => {
    const { norms } = runs['1'];
    const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];
    const above = norms.filter(
      (norm: number, i: number) => i >= 50 && norm > 10 * median(norms.slice(i - 50, i)),
    );
    expect(above.length).toBeGreaterThan(20);
  });
});

describe('steps whose numbers are not finite', () => {
  const error = new LorikeetError('training', {
    step: 4,
    file: 'train.jsonl',
    rows: [7],
    what: 'the loss expected a finite number, got NaN',
  });

  it('are left out with their rows, until ten in a row are lost', () => {
    const state = startNumbers();
    for (let i = 0; i < 9; i++) {
      expect(leaveOut(state, error)).toMatchObject({
        step: 4,
        applied: false,
        rows: [{ row: 7, loss: null }],
      });
    }
    expect(() => leaveOut(state, error)).toThrow(
      /row 7: the loss expected a finite number, got NaN, as in 9 steps/,
    );
  });

  it('are counted anew after a good one', () => {
    const state = startNumbers();
    for (let i = 0; i < 30; i++) {
      leaveOut(state, error);
      if (i % 9 === 8) lookAtStep(state, policy, { step: i, loss: 1, norm: 1, rows });
    }
    expect(state.lostInARow).toBe(3);
  });
});
