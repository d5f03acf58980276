import { describe, expect, it } from 'vitest';
import { findingsOf } from '../../src/report/findings.ts';
import type { RunStory, WarningPoint } from '../../src/report/run-story.ts';
import type { RowScore } from '../../src/train/row-scores.ts';
import type { RunRecord } from '../../src/train/run-folder.ts';
import { generatedRun } from './generated-run.ts';
import { baselineAt, rowsAround, storyOf } from './made-up-curves.ts';

const kinds = (story: RunStory) => findingsOf(story).map(({ kind }) => kind);
const finding = (story: RunStory, kind: string) => findingsOf(story).find((found) => found.kind === kind);

/** Falls fast and then stays, as a run that went well. */
const well = (t: number) => 0.6 + 1.2 * Math.exp(-12 * t);
/** Falls to a third of the course and rises again by `by`. */
const valley = (by: number) => (t: number) => well(t) + by * Math.max(0, t - 0.35);

const record = generatedRun().record;
const withRecord = (changes: Partial<RunRecord>) => ({ record: { ...record, ...changes } });
const withTrain = (train: object) =>
  withRecord({
    config: {
      given: {},
      resolved: {
        ...record.config!.resolved,
        train: { ...record.config!.resolved.train, ...train },
      },
    },
  });

describe('a run that went well', () => {
  it('gives no finding', () => {
    expect(findingsOf(storyOf({ train: well, validation: well }, { baseline: baselineAt(1.8) }))).toEqual([]);
  });

  it('gives none when it is short, without validation or without a record', () => {
    expect(kinds(storyOf({ train: well, validation: well, steps: 12, evaluations: 2 }))).toEqual([]);
    expect(kinds(storyOf({ train: well }))).toEqual([]);
    expect(kinds(storyOf({ train: well, validation: well }, { record: undefined }))).toEqual([]);
    expect(kinds(storyOf({ train: well, steps: 0 }, { record: undefined, status: 'unknown' }))).toEqual([]);
  });

  it('is not judged by how large its loss is', () => {
    for (const scale of [0.001, 1, 10]) {
      const curve = (t: number) => scale * well(t);
      const story = storyOf(
        { train: curve, validation: curve, scored: curve, evaluationNoise: 0.005 * scale },
        { baseline: baselineAt(1.8 * scale), ...withRecord({ base: undefined }) },
      );
      expect(kinds(story), `scale ${scale}`).toEqual([]);
    }
  });
});

describe('numbers that went wrong', () => {
  const warning = (step: number, row: number): WarningPoint => ({
    kind: 'explosion',
    step,
    applied: false,
    rows: [
      { row, loss: 9.5 },
      { row: 1, loss: 2 },
    ],
  });

  it('are named with their steps and the rows that stand out in them', () => {
    const warnings = [warning(40, 7), warning(90, 12), warning(120, 7)];
    const story = storyOf({ train: well, validation: well }, { baseline: baselineAt(1.8), warnings });
    expect(kinds(story)).toEqual(['exploding-gradient']);
    const { evidence } = finding(story, 'exploding-gradient')!;
    expect(evidence).toContain('at 3 steps (40, 90, 120)');
    expect(evidence).toContain('1 (loss 2.000), 7 (loss 9.500), 12 (loss 9.500)');
    expect(evidence).toContain('3 updates were left out');
  });

  it('are told apart by kind', () => {
    const lost: WarningPoint[] = [
      { kind: 'not-finite', step: 3, applied: false, rows: [{ row: 5, loss: null }] },
    ];
    const story = storyOf({ train: well, validation: well }, { baseline: baselineAt(1.8), warnings: lost });
    expect(kinds(story)).toEqual(['not-finite']);
    expect(finding(story, 'not-finite')?.evidence).toContain('stand out in them: 5.');
  });
});

describe('overfitting', () => {
  it('is found where validation rises while training falls', () => {
    const train = (t: number) => 1.8 * Math.exp(-3 * t);
    const story = storyOf({ train, validation: valley(0.3) });
    const evaluations = story.evaluations.map(({ train: _, gap: __, ...curve }) => curve);
    const found = finding({ ...story, evaluations }, 'overfitting');
    expect(found?.evidence).toMatch(/lowest at step \d+ \(0\.6\d\d\) and has risen by 0\.1/);
    expect(found?.evidence).toContain('The training loss fell in that time');
    expect(found?.suggestion).toContain('best/');
  });

  it('takes the scored training rows before the noisy curve where there are some', () => {
    const story = storyOf({
      train: () => 1,
      noise: 0.5,
      validation: valley(0.3),
      scored: (t) => 1 - 0.3 * t,
      gapWidth: 9,
    });
    expect(finding(story, 'overfitting')?.evidence).toMatch(/scored beside it fell from 0\.\d+ to 0\.7/);
  });

  it('is not what a rise is called where training does not fall', () => {
    const story = storyOf({ train: () => 1, validation: valley(0.3), scored: () => 0.6, gapWidth: 9 });
    expect(kinds(story)).toEqual(['best-early']);
    expect(finding(story, 'best-early')?.evidence).toContain('12 evaluations in all');
  });

  it('is not seen in a rise that one noisy evaluation could make, nor in a small one', () => {
    const scored = (t: number) => 0.5 - 0.2 * t;
    const train = (t: number) => 1.8 * Math.exp(-3 * t);
    expect(
      kinds(storyOf({ train, validation: valley(0.1), scored, gapWidth: 9, evaluationNoise: 0.03 })),
    ).toEqual([]);
    expect(
      kinds(storyOf({ train, validation: valley(0.02), scored, gapWidth: 9, evaluationNoise: 0 })),
    ).toEqual([]);
    expect(kinds(storyOf({ train, validation: valley(0.3), scored, gapWidth: 9, evaluations: 5 }))).toEqual(
      [],
    );
  });

  it('is found in a gap whose whole interval lies above 0.2, and in no other', () => {
    const gap = (value: number, gapWidth: number) =>
      storyOf({ train: well, validation: well, scored: (t) => well(t) - value * t, gapWidth });
    const found = finding(gap(0.4, 0.1), 'overfitting');
    expect(found?.evidence).toMatch(
      /lies 0\.\d+ above that of the training rows \(95 % interval 0\.[23]\d+ to 0\.[45]\d+; threshold 0\.2\)/,
    );
    expect(kinds(gap(0.4, 0.25))).toEqual([]);
    expect(kinds(gap(0.15, 0.01))).toEqual([]);
  });

  it('is not what a gap is called that was there before step 1', () => {
    const curves = { train: well, validation: well, scored: (t: number) => well(t) - 0.4, gapWidth: 0.1 };
    const before = baselineAt(1.8, { value: 0.38, low: 0.28, high: 0.48 });
    expect(kinds(storyOf(curves, { baseline: before }))).toEqual(['splits-differ']);
    const unsure = baselineAt(1.8, { value: 0.38, low: -0.1, high: 0.8 });
    expect(kinds(storyOf(curves, { baseline: unsure }))).toEqual([]);
    const none = baselineAt(1.8, { value: 0.02, low: -0.1, high: 0.12 });
    expect(finding(storyOf(curves, { baseline: none }), 'overfitting')?.evidence).toContain(
      'Before step 1 it was 0.020',
    );
  });
});

describe('a learning rate too high', () => {
  const kind = 'rate-too-high';

  it('is found where the training loss climbs again', () => {
    const found = finding(storyOf({ train: (t) => (t < 0.5 ? well(t) : 0.6 + 2 * (t - 0.5)) }), kind);
    expect(found?.evidence).toMatch(
      /training loss rose: a mean of 0\.6\d+ over steps 51 to 100, 1\.\d+ over steps 151 to 200/,
    );
    expect(found?.suggestion).toContain('train.learningRate (it was 1.00e-4)');
  });

  it('is not found in a small climb, a noisy one, or where rows keep the order of their file', () => {
    expect(kinds(storyOf({ train: (t) => 0.6 + 0.1 * t }))).not.toContain(kind);
    expect(kinds(storyOf({ train: (t) => 0.6 + 0.4 * t, noise: 1.2 }))).not.toContain(kind);
    const climbing = { train: (t: number) => 0.6 + t };
    expect(kinds(storyOf(climbing))).toContain(kind);
    expect(kinds(storyOf(climbing, withTrain({ shuffle: false })))).not.toContain(kind);
  });

  it('is found where the gradient norm explodes while the loss does not fall', () => {
    const norm = (t: number) => (t < 0.7 ? 0.5 : 20);
    expect(finding(storyOf({ train: () => 1, norm }), kind)?.evidence).toMatch(
      /norm's median grew from 0\.\d+ to (1[89]|2\d)\./,
    );
    expect(kinds(storyOf({ train: (t) => 2 - t, norm }))).not.toContain(kind);
    expect(kinds(storyOf({ train: () => 1, norm: (t) => (t < 0.7 ? 0.5 : 3) }))).not.toContain(kind);
  });

  it('is found in a run that failed of numbers that are not finite, and in no other failure', () => {
    const failed = (error: string) =>
      storyOf({ train: well }, { status: 'failed', ...withRecord({ error }) });
    expect(finding(failed('step 201: the loss expected finite numbers, got NaN'), kind)?.evidence).toContain(
      'After step 200',
    );
    expect(kinds(failed('No space left on device'))).toEqual([]);
  });

  it('is found where validation swings further than other rows could make it', () => {
    const swinging = (t: number) => 1 + (Math.round(t * 12) % 2 === 0 ? 0.3 : -0.3);
    const scores = (scatter: number) => ({ scores: { start: [], last: rowsAround(1, scatter) } });
    expect(finding(storyOf({ train: well, validation: swinging }, scores(0.3)), kind)?.evidence).toMatch(
      /swings by 0\.[56]\d+ .* turns back 10 times in 12 evaluations/,
    );
    expect(kinds(storyOf({ train: well, validation: swinging }, scores(8)))).not.toContain(kind);
    expect(kinds(storyOf({ train: well, validation: swinging }))).not.toContain(kind);
    expect(kinds(storyOf({ train: well, validation: swinging, evaluations: 6 }, scores(0.3)))).not.toContain(
      kind,
    );
  });
});

describe('a learning rate too low', () => {
  const still = { train: () => 1.2, validation: () => 1.2, noise: 0.1 };

  it('is found where the same rows cost the same before and after, at a low rate', () => {
    const slow = withTrain({ learningRate: 5e-6 });
    const found = finding(storyOf(still, { baseline: baselineAt(1.2), ...slow }), 'rate-too-low');
    expect(found?.evidence).toMatch(
      /was 1\.200 before step 1 and never below 1\.1.*learning rate was 5\.00e-6/,
    );
    expect(found?.suggestion).toContain('1e-4');
  });

  it('is not blamed where the rate is not low', () => {
    expect(kinds(storyOf(still, { baseline: baselineAt(1.2) }))).toEqual(['flat']);
  });

  it('is found in the training loss alone where its noise is small enough to tell', () => {
    const slow = withTrain({ learningRate: 5e-6 });
    expect(kinds(storyOf({ train: () => 1.2, noise: 0.03, steps: 1000 }, slow))).toEqual(['rate-too-low']);
    expect(kinds(storyOf({ train: () => 1.2, noise: 0.3, steps: 100 }, slow))).toEqual([]);
    expect(kinds(storyOf({ train: (t) => 1.2 - 0.1 * t, noise: 0.03, steps: 1000 }, slow))).toEqual([]);
  });

  it('is not found in a run that was stopped, fell, or had nothing left to learn', () => {
    const slow = { baseline: baselineAt(1.2), ...withTrain({ learningRate: 5e-6 }) };
    expect(kinds(storyOf(still, { ...slow, status: 'stopped' }))).toEqual([]);
    expect(kinds(storyOf(still, { ...slow, baseline: baselineAt(1.3) }))).toEqual([]);
    expect(kinds(storyOf({ ...still, train: (t) => 1.4 - 0.4 * t }, slow))).toEqual([]);
    expect(kinds(storyOf(still, { ...slow, baseline: { ...baselineAt(1.2)!, exactMatch: 0.95 } }))).toEqual(
      [],
    );
  });
});

describe('clipping', () => {
  it('is told where nearly every step is cut to less than half', () => {
    const found = finding(storyOf({ train: well, norm: () => 6 }), 'clipping');
    expect(found?.evidence).toMatch(
      /^200 of 200 steps had a gradient norm above train.maxGradNorm 1; their median is [56]\.\d+/,
    );
  });

  it('is not told of some steps, of little, of few steps or where it is off', () => {
    expect(kinds(storyOf({ train: well, norm: (t) => (t < 0.8 ? 6 : 0.5) }))).toEqual([]);
    expect(kinds(storyOf({ train: well, norm: () => 1.9 }))).toEqual([]);
    expect(kinds(storyOf({ train: well, norm: () => 6, steps: 40 }))).toEqual([]);
    expect(kinds(storyOf({ train: well, norm: () => 6 }, withTrain({ maxGradNorm: 0 })))).toEqual([]);
  });
});

describe('progress', () => {
  it('that leads nowhere near what a language model knows is held against ln V', () => {
    const found = finding(storyOf({ train: () => 11.9, noise: 0.01 }), 'stuck-at-uniform');
    expect(found?.evidence).toMatch(/^The training loss ends at 11\.(8|9)/);
    expect(found?.evidence).toContain('ln 151936 = 11.931');
    expect(kinds(storyOf({ train: () => 4, noise: 0.01 }))).not.toContain('stuck-at-uniform');
    expect(kinds(storyOf({ train: (t) => 11.9 - 6 * t, noise: 0.01 }))).not.toContain('stuck-at-uniform');
  });

  it('that never beats the base is told with its interval', () => {
    const worse = { train: well, validation: () => 1.5, scored: () => 1.5 };
    const scores = { start: rowsAround(1.2, 0.2), last: rowsAround(1.5, 0.2) };
    const found = finding(storyOf(worse, { baseline: baselineAt(1.2), scores }), 'never-better');
    expect(found?.evidence).toMatch(
      /base's validation loss was 1\.200; the lowest of 12 evaluations is 1\.4\d\d/,
    );
    expect(found?.evidence).toMatch(/cost 0\.\d+ more at the end than before step 1 \(95 % interval 0\.[23]/);
  });

  it('is not called worse where the rows do not agree, one evaluation was better, or rows are few', () => {
    const worse = { train: well, validation: () => 1.22, scored: () => 1.22, evaluationNoise: 0.002 };
    const start = rowsAround(1.2, 0.6);
    const dearer = (by: (row: number) => number) =>
      start.map((row) => ({
        ...row,
        tokens: row.tokens.map((token) => ({ ...token, loss: token.loss + by(row.row) })),
      }));
    const story = (last: RowScore[], curves: object = {}) =>
      storyOf({ ...worse, ...curves }, { baseline: baselineAt(1.2), scores: { start, last } });
    // 0.02 on average, give or take 0.5: 60 rows leave an interval of 0.02 +- 0.13.
    expect(kinds(story(dearer((row) => (row % 2 === 0 ? 0.52 : -0.48))))).not.toContain('never-better');
    expect(kinds(story(dearer(() => 1)))).toContain('never-better');
    expect(kinds(story(dearer(() => 1).slice(0, 5)))).not.toContain('never-better');
    const once = (t: number) => (t < 0.3 ? 1.1 : 2.5);
    expect(
      kinds(
        story(
          dearer(() => 1),
          { validation: once },
        ),
      ),
    ).not.toContain('never-better');
  });

  it('below guessing is underfitting, on training rows too', () => {
    const story = (answer: number, changes: Partial<RunStory> = {}) =>
      storyOf(
        {
          train: () => 2.5,
          validation: (t) => 2.6 - 0.2 * t,
          scored: (t) => 2.5 - 0.2 * t,
          evaluationNoise: 0,
        },
        { baseline: baselineAt(2.8), scores: { start: [], last: rowsAround(answer, 0.4) }, ...changes },
      );
    // Guessing costs 1.9 in this record.
    expect(finding(story(3.1), 'underfitting')?.evidence).toMatch(
      /an answer token costs [23]\.\d+ .* guessing .* costs 1\.900/,
    );
    expect(kinds(story(1.95))).not.toContain('underfitting');
    expect(kinds(story(3.1, { status: 'stopped' }))).not.toContain('underfitting');
    expect(kinds(story(3.1, { scores: { start: [], last: rowsAround(3.1, 0.4, 6) } }))).not.toContain(
      'underfitting',
    );
    const { check, ...rest } = record;
    expect(kinds(story(3.1, { record: { ...rest, check: { ...check!, chance: undefined } } }))).not.toContain(
      'underfitting',
    );
  });

  it('that goes on to the end is told, and one that has levelled out is not', () => {
    const falling = (t: number) => 1.5 - 0.9 * t;
    const found = finding(storyOf({ train: falling, validation: falling }), 'still-improving');
    expect(found?.evidence).toMatch(
      /lower than the one before: 0\.[89]\d+ at step 133, 0\.[56]\d+ at step 200, \d+\.\d % less/,
    );
    expect(kinds(storyOf({ train: falling, validation: falling }, { status: 'stopped' }))).toEqual([]);
    expect(kinds(storyOf({ train: falling, validation: falling, evaluations: 4 }))).toEqual([]);
    const levels = (t: number) => 0.6 + 0.5 * Math.max(0, 0.8 - t);
    expect(kinds(storyOf({ train: falling, validation: levels, evaluationNoise: 0 }))).toEqual([]);
  });
});

describe('the data', () => {
  const check = record.check!;
  const shared = (rows: number, near = 0, groups?: { count: number; rows: number; names: string[] }) =>
    storyOf(
      { train: well },
      {
        ...withRecord({
          check: {
            ...check,
            splits: [check.splits[0], { ...check.splits[1], rows: 451 }],
            shared: {
              same: { pictures: Math.ceil(rows / 2), rows, pairs: [] },
              near: { pictures: near, rows: near, pairs: [] },
              ...(groups && { groups }),
            },
          },
        }),
      },
    );

  it('that asks about the same pictures in both splits is told', () => {
    const found = finding(shared(400, 3), 'shared-pictures');
    expect(found?.evidence).toBe(
      '200 validation pictures and 3 near-duplicates also stand in the training data; 403 rows of 451 validation rows ' +
        '(89.4 %) ask about them.',
    );
    expect(kinds(shared(4))).toEqual([]);
    expect(kinds(shared(0))).toEqual([]);
    expect(kinds(shared(0, 0, { count: 3, rows: 40, names: ['p1'] }))).toEqual(['shared-groups']);
  });

  it('with pictures that are nearly white is told with the remedy', () => {
    const white = (count: number, sixteenBit: number) => {
      const images = {
        ...check.splits[0].images,
        distinct: 200,
        saturated: { count, sixteenBit, files: [] },
      };
      return storyOf(
        { train: well },
        withRecord({ check: { ...check, splits: [{ ...check.splits[0], images }] } }),
      );
    };
    expect(finding(white(50, 40), 'saturated-pictures')).toMatchObject({
      evidence: expect.stringContaining('50 pictures of 200'),
      suggestion: expect.stringContaining('image.sixteenBit: scale'),
    });
    expect(finding(white(50, 0), 'saturated-pictures')?.suggestion).not.toContain('sixteenBit');
    expect(kinds(white(1, 1))).toEqual([]);
  });
});

describe('noise alone', () => {
  const seeds = 200;
  const rates = (make: (seed: number) => RunStory) => {
    const found = new Map<string, number>();
    for (let seed = 0; seed < seeds; seed++) {
      for (const kind of kinds(make(seed))) found.set(kind, (found.get(kind) ?? 0) + 1 / seeds);
    }
    return found;
  };

  it.each([
    [0.05, 0.003, 6],
    [0.15, 0.03, 8],
    [0.4, 0.03, 12],
    [0.4, 0.06, 30],
  ])(
    'makes hardly a finding around a good curve (steps %d, evaluations %d of %d)',
    (noise, evaluationNoise, evaluations) => {
      const found = rates((seed) =>
        storyOf(
          { train: well, validation: well, noise, evaluationNoise, evaluations },
          { baseline: baselineAt(1.8) },
          seed,
        ),
      );
      for (const [kind, rate] of found) expect(rate, kind).toBeLessThan(0.03);
    },
  );

  it.each([
    [0.15, 0.03, 8],
    [0.4, 0.06, 12],
    [0.4, 0.06, 30],
  ])(
    'around a level line says at most that it is level (steps %d, evaluations %d of %d)',
    (noise, evaluationNoise, evaluations) => {
      const found = rates((seed) =>
        storyOf(
          { train: () => 1, validation: () => 1, noise, evaluationNoise, evaluations },
          {
            baseline: baselineAt(1),
            scores: { start: rowsAround(1, 0.6, 60, seed + 1000), last: rowsAround(1, 0.6, 60, seed) },
          },
          seed,
        ),
      );
      found.delete('flat');
      for (const [kind, rate] of found) expect(rate, kind).toBeLessThan(0.03);
    },
  );
});
