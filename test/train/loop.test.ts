import { describe, expect, it, vi } from 'vitest';
import { LorikeetError } from '../../src/errors.ts';
import type { AnswerRows } from '../../src/train/answers.ts';
import { type CourseStep, course } from '../../src/train/course.ts';
import type { BaselineEvent, FinishEvent } from '../../src/train/events.ts';
import { type LoopEvent, trainingLoop } from '../../src/train/loop.ts';
import type { LoopInput, LoopSettings } from '../../src/train/loop-state.ts';
import { createSource } from '../../src/train/source.ts';
import type { CompiledStep } from '../../src/train/step.ts';
import { bigramStep, encodedRow, sourceOf } from './bigram.ts';

const V = 5;
// Seven rows with one to four labels each, so that a mean of means would give other numbers.
const rows = [
  encodedRow(0, [0, 1, 2, 3], 'uhae'),
  encodedRow(1, [1, 2, 2, 3, 4, 0], 'uhaaae'),
  encodedRow(2, [3, 1, 0], 'uha'),
  encodedRow(3, [0, 4, 4, 3, 3], 'uhaee'),
  encodedRow(4, [2, 1, 2, 3], 'uhae'),
  encodedRow(5, [4, 1, 3, 0, 2, 1], 'uhaaee'),
  encodedRow(6, [1, 0, 3], 'uha'),
];
const held = [encodedRow(0, [0, 1, 2, 3], 'uhae'), encodedRow(1, [2, 0, 1, 3], 'uhae')];

const defaults: LoopSettings = {
  totalSteps: 6,
  learningRate: 0.1,
  schedule: 'linear',
  warmupSteps: 0,
  weightDecay: 0.3,
  maxGradNorm: 0.2,
  evaluateEvery: 2,
  evaluateStart: false,
  bestBy: 'loss',
  maxTokens: 1000,
  seed: 1,
  recompute: true,
};

function inputOf(changes: Partial<LoopSettings> = {}, step: CompiledStep = bigramStep(V)): LoopInput {
  const settings = { ...defaults, ...changes };
  const train = sourceOf(rows);
  const stepsOfEpoch = () => [[0, 1, 2], [3, 4, 5], [6]];
  const options = { epochs: 2, maxTokens: settings.maxTokens, maxSteps: settings.totalSteps, stepsOfEpoch };
  return {
    step,
    train,
    validation: sourceOf(held),
    gapRows: [],
    course: (): Iterable<CourseStep> => course(train.sizes, options),
    settings,
    stopped: () => false,
  };
}

/** Without the rows behind an evaluation, which come just before it. */
async function collect(input: LoopInput): Promise<LoopEvent[]> {
  const events: LoopEvent[] = [];
  for await (const event of trainingLoop(input)) if (event.type !== 'scored') events.push(event);
  return events;
}

const stepsIn = (events: LoopEvent[]) => events.filter((event) => event.type === 'step');

/** The same training written out flat in f64: no batches, no packing. */
function byHand(settings: LoopSettings) {
  const model = bigramStep(V);
  const parameters = model.trainables.map(({ name, values, decay }) => ({
    name,
    decay,
    p: Array.from(values),
  }));
  const m = parameters.map(({ p }) => p.map(() => 0));
  const v = parameters.map(({ p }) => p.map(() => 0));
  const out: { loss: number; norm: number; rate: number; labels: number }[] = [];
  const epoch = [[0, 1, 2], [3, 4, 5], [6]];
  [...epoch, ...epoch].slice(0, settings.totalSteps).forEach((batch, s) => {
    const g = parameters.map(({ p }) => p.map(() => 0));
    let loss = 0;
    let labels = 0;
    for (const row of batch) {
      const ids = rows[row].ids;
      for (let t = 2; t < ids.length; t++) {
        const [weight, bias] = [parameters[0].p, parameters[1].p];
        const from = ids[t - 1];
        const logits = bias.map((b, k) => b + weight[from * V + k]);
        const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
        loss += Math.log(total) - logits[ids[t]];
        labels++;
        logits.forEach((x, k) => {
          const d = Math.exp(x) / total - (k === ids[t] ? 1 : 0);
          g[0][from * V + k] += d;
          g[1][k] += d;
        });
      }
    }
    const mean = g.map((values) => values.map((x) => x / labels));
    const norm = Math.sqrt(mean.flat().reduce((sum, x) => sum + x * x, 0));
    const clip = Math.min(1, settings.maxGradNorm / (norm + 1e-6));
    const rate =
      s < settings.warmupSteps
        ? (settings.learningRate * s) / settings.warmupSteps
        : (settings.learningRate * (settings.totalSteps - s)) / (settings.totalSteps - settings.warmupSteps);
    parameters.forEach(({ p, decay }, k) => {
      for (let i = 0; i < p.length; i++) {
        const x = mean[k][i] * clip;
        m[k][i] = 0.9 * m[k][i] + 0.1 * x;
        v[k][i] = 0.999 * v[k][i] + 0.001 * x * x;
        if (decay) p[i] *= 1 - rate * settings.weightDecay;
        const root = Math.sqrt(v[k][i] / (1 - 0.999 ** (s + 1)));
        p[i] -= (rate * (m[k][i] / (1 - 0.9 ** (s + 1)))) / (root + 1e-8);
      }
    });
    out.push({ loss: loss / labels, norm, rate, labels });
  });
  return { out, parameters };
}

describe('training loop', () => {
  it.each<[string, Partial<LoopSettings>]>([
    ['a smaller last step, clipping and decay', {}],
    ['warm-up', { warmupSteps: 3 }],
    ['a clip that never acts', { maxGradNorm: 100 }],
    ['micro-batches of one row', { maxTokens: 1 }],
    ['an end in the middle of an epoch', { totalSteps: 4 }],
  ])('agrees with the training written out by hand: %s', async (_, changes) => {
    const input = inputOf(changes);
    const steps = stepsIn(await collect(input));
    const { out, parameters } = byHand(input.settings);
    expect(steps.map((event) => event.labelTokens)).toEqual(out.map((step) => step.labels));
    steps.forEach((event, s) => {
      expect(event.loss).toBeCloseTo(out[s].loss, 5);
      expect(event.gradNorm).toBeCloseTo(out[s].norm, 5);
      expect(event.learningRate).toBeCloseTo(out[s].rate, 12);
    });
    parameters.forEach(({ p }, k) => {
      p.forEach((value, i) => {
        expect(input.step.trainables[k].values[i]).toBeCloseTo(value, 5);
      });
    });
  });

  it('gives the same numbers however rows are packed', async () => {
    const whole = stepsIn(await collect(inputOf())).map((event) => event.loss);
    const alone = stepsIn(await collect(inputOf({ maxTokens: 1 }))).map((event) => event.loss);
    alone.forEach((loss, s) => {
      expect(loss).toBeCloseTo(whole[s], 6);
    });
  });

  it('packs neighbours up to maxTokens and names the step of every draw', async () => {
    const step = bigramStep(V);
    await collect(inputOf({ maxTokens: 10, totalSteps: 3 }, step));
    expect(step.calls).toEqual([
      { rows: [0, 1], step: 1 },
      { rows: [2], step: 1 },
      { rows: [3, 4], step: 2 },
      { rows: [5], step: 2 },
      { rows: [6], step: 3 },
    ]);
  });

  it('leaves a skipped row out of sum and count, and a step that loses all its rows out of everything', async () => {
    const changes: Partial<LoopSettings> = { schedule: 'constant', maxTokens: 1 };
    const whole = inputOf(changes);
    const { sizes } = whole.train;
    const load = async (index: number) =>
      index === 1 || index === 6 ? undefined : { encoded: rows[index], images: [] };
    const lossy = await collect({ ...whole, train: createSource(sizes, { load, lookAheadBytes: 1000 }) });
    const without = inputOf(changes);
    const options = {
      epochs: 2,
      maxTokens: 1,
      stepsOfEpoch: () => [
        [0, 2],
        [3, 4, 5],
      ],
    };
    const asIfAbsent = await collect({ ...without, course: () => course(sizes, options) });
    const numbers = (events: LoopEvent[]) =>
      stepsIn(events).map(({ loss, gradNorm, labelTokens, tokens }) => [loss, gradNorm, labelTokens, tokens]);
    expect(numbers(lossy)).toEqual(numbers(asIfAbsent));
    expect(stepsIn(lossy).map(({ step }) => step)).toEqual([1, 2, 4, 5]);
    expect(stepsIn(lossy).at(-1)).toMatchObject({ secondsLeft: expect.closeTo(0, 1) });
    expect(whole.step.trainables[0].values).toEqual(without.step.trainables[0].values);
    expect(lossy.at(-1)).toMatchObject({ type: 'finish', status: 'finished', step: 6 });
  });

  it('yields its events in order, with one evaluation at the end', async () => {
    const types = async (changes: Partial<LoopSettings>) =>
      (await collect(inputOf(changes))).map((event) => event.type).join(' ');
    expect(await types({ totalSteps: 4 })).toBe('estimate step step evaluate step step evaluate finish');
    expect(await types({ totalSteps: 3 })).toBe('estimate step step evaluate step evaluate finish');
    expect(await types({ totalSteps: 2, evaluateEvery: 50 })).toBe('estimate step step evaluate finish');
  });

  it('scores the model as it began, and hands over what it saw row by row', async () => {
    const input = inputOf({ evaluateStart: true, totalSteps: 2, evaluateEvery: 50 });
    const events: LoopEvent[] = [];
    for await (const event of trainingLoop({ ...input, gapRows: [1, 4] })) events.push(event);
    expect(events.map(({ type }) => type).join(' ')).toBe(
      'scored baseline estimate step step scored evaluate finish',
    );
    const [scored, baseline] = events;
    const untrained = await bigramStep(V).evaluate(
      [...held, rows[1], rows[4]].map((encoded) => ({ encoded, images: [] })),
    );
    expect(scored).toMatchObject({
      step: 0,
      rows: [
        { split: 'validation', row: 0, losses: untrained[0].losses, positions: Int32Array.of(2, 3) },
        { split: 'validation', row: 1, losses: untrained[1].losses },
        { split: 'train', row: 1, losses: untrained[2].losses, ids: Int32Array.of(2, 3, 4, 0) },
        { split: 'train', row: 4, losses: untrained[3].losses },
      ],
    });
    const mean = (...parts: Float32Array[]) => {
      const all = parts.flatMap((part) => [...part]);
      return all.reduce((sum, loss) => sum + loss, 0) / all.length;
    };
    const validation = mean(untrained[0].losses, untrained[1].losses);
    const train = mean(untrained[2].losses, untrained[3].losses);
    expect(baseline).toMatchObject({ step: 0, rows: 2, tokens: 4, train: { rows: 2, tokens: 6 } });
    const { loss, train: seen, gap } = baseline as BaselineEvent;
    expect(loss).toBeCloseTo(validation, 6);
    expect(seen!.loss).toBeCloseTo(train, 6);
    expect(gap!.value).toBeCloseTo(validation - train, 6);
  });

  it('runs without validation data', async () => {
    const events = await collect({ ...inputOf({ totalSteps: 1 }), validation: undefined });
    expect(events.map((event) => event.type)).toEqual(['estimate', 'step', 'finish']);
    expect(events.at(-1)).toMatchObject({ status: 'finished', best: null, step: 1 });
  });

  it('marks the best evaluation and remembers it at the end', async () => {
    // A rate that overshoots: the held-out loss does not fall for ever.
    const events = await collect(inputOf({ learningRate: 3, evaluateEvery: 1, maxGradNorm: 100 }));
    const evaluations = events.filter((event) => event.type === 'evaluate');
    let lowest = Number.POSITIVE_INFINITY;
    for (const { loss, best } of evaluations) {
      expect(best).toBe(loss < lowest);
      lowest = Math.min(lowest, loss);
    }
    const winner = evaluations.find((event) => event.loss === lowest)!;
    expect(evaluations.some((event) => !event.best)).toBe(true);
    expect(events.at(-1)).toMatchObject({ best: { step: winner.step, loss: lowest } });
  });

  describe('with patience', () => {
    /** Answers that are right so often, evaluation by evaluation; the loop asks for them at the steps it names. */
    function scripted(shares: number[]) {
      const asked: number[] = [];
      const answers: AnswerRows = {
        rows: [0, 1],
        async *answer(step) {
          yield { type: 'scoring', step, part: 'answers', rows: 1, totalRows: 2, secondsLeft: 0 };
          asked.push(step);
          const exactMatch = shares[asked.length - 1];
          const given = {
            rows: 2,
            answers: 2,
            interval: null,
            f1: 1 - exactMatch,
            floor: 0.5,
            cut: 0,
          };
          return { answers: { ...given, exactMatch } };
        },
      };
      return { answers, asked };
    }

    const waiting = { evaluateEvery: 1, patience: 2 } as const;

    it.each([
      ['answers.exactMatch', [0.1, 0.4, 0.3, 0.4, 0.9, 0.9], 4, 2, 0.4],
      ['answers.f1', [0.9, 0.2, 0.2, 0.1, 0.3, 0.4], 6, 4, 0.9],
    ] as const)(
      'ends when %s got no better in two evaluations',
      async (bestBy, shares, end, bestStep, value) => {
        const { answers, asked } = scripted([...shares]);
        const events = await collect({ ...inputOf({ ...waiting, bestBy }), answers });
        expect(asked).toEqual([1, 2, 3, 4, 5, 6].slice(0, end));
        const isEarly = end < 6;
        expect(events.at(-1)).toMatchObject({ type: 'finish', status: 'finished', step: end, totalSteps: 6 });
        expect(events.at(-1)).toMatchObject({ best: { step: bestStep, metric: bestBy, value } });
        const early = isEarly ? { patience: 2, bestStep } : undefined;
        expect((events.at(-1) as FinishEvent).stoppedEarly).toEqual(early);
        const best = events.flatMap((event) => (event.type === 'evaluate' && event.best ? [event.step] : []));
        expect(best.at(-1)).toBe(bestStep);
      },
    );

    it('does not count the model before step 1, which no adapter stands for', async () => {
      const { answers, asked } = scripted([1, 0.1, 0.2, 0.2, 0.2, 0.2]);
      const settings = { ...waiting, bestBy: 'answers.exactMatch', evaluateStart: true } as const;
      const events = await collect({ ...inputOf(settings), answers });
      expect(asked).toEqual([0, 1, 2, 3, 4]);
      expect(events.at(-1)).toMatchObject({ step: 4, stoppedEarly: { patience: 2, bestStep: 2 } });
      expect(events[1]).toMatchObject({ type: 'baseline', answers: { exactMatch: 1 } });
    });

    it('by the loss ends a run whose loss overshoots', async () => {
      const changes = { learningRate: 3, maxGradNorm: 100, evaluateEvery: 1 };
      const losses = (await collect(inputOf(changes))).flatMap((event) =>
        event.type === 'evaluate' ? [event.loss] : [],
      );
      // The first evaluation that was no better than one before it, found without the loop.
      const worse = losses.findIndex((loss, i) => i > 0 && loss >= Math.min(...losses.slice(0, i)));
      expect(worse).toBeGreaterThan(0);
      expect(worse).toBeLessThan(losses.length - 1);
      const events = await collect(inputOf({ ...changes, patience: 1 }));
      expect(events.at(-1)).toMatchObject({
        status: 'finished',
        step: worse + 1,
        stoppedEarly: { patience: 1, bestStep: worse },
      });
    });

    it('tells nothing of an evaluation whose answers were given up', async () => {
      const { answers } = scripted([0]);
      const givenUp: AnswerRows = {
        ...answers,
        async *answer(step) {
          yield* answers.answer(step);
          return undefined;
        },
      };
      const events = await collect({ ...inputOf({ totalSteps: 1 }), answers: givenUp });
      expect(events.map(({ type }) => type)).toEqual(['estimate', 'step', 'scoring', 'save', 'finish']);
      expect(events.at(-1)).toMatchObject({ status: 'stopped', best: null });
    });
  });

  it('stops at a step boundary and says so', async () => {
    let asked = 0;
    const events = await collect({ ...inputOf(), stopped: () => asked++ >= 1, validation: undefined });
    expect(events.map((event) => event.type)).toEqual(['estimate', 'step', 'save', 'finish']);
    expect(events.at(-1)).toMatchObject({ status: 'stopped', step: 1 });
  });

  it('hands over a checkpoint every so many steps, or at the first step boundary after ten minutes', async () => {
    const saves = async (saveEvery?: number) => {
      const input = { ...inputOf({ saveEvery }), validation: undefined };
      const steps: number[] = [];
      for await (const event of trainingLoop(input)) {
        if (event.type === 'step') vi.advanceTimersByTime(4 * 60_000);
        if (event.type === 'save') steps.push(event.state.step);
      }
      return steps;
    };
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      expect(await saves(2)).toEqual([2, 4]);
      expect(await saves(0)).toEqual([]);
      // Ten minutes are over after the third step and, counted from there, after the sixth, which is the last.
      expect(await saves()).toEqual([3]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is not finished when its last evaluation was given up', async () => {
    let asked = 0;
    const events = await collect({ ...inputOf({ totalSteps: 1 }), stopped: () => asked++ >= 1 });
    expect(events.at(-1)).toMatchObject({ status: 'stopped', step: 1 });
    expect(events.some((event) => event.type === 'evaluate')).toBe(false);
  });
});

describe('numbers that go wrong', () => {
  /** Spoils what the model says of one row, and what its gradient says whenever that row takes part. */
  function spoiled(row: number, what: 'loss' | 'gradient', value: number) {
    const step = bigramStep(V);
    const { gradients } = step;
    step.gradients = async (samples, address) => {
      const result = await gradients(samples, address);
      const at = samples.findIndex((sample) => sample.encoded.row === row);
      if (at >= 0 && what === 'loss') result.samples[at].losses[0] = value;
      if (at >= 0 && what === 'gradient') result.gradients.get('bias')![2] = value;
      return result;
    };
    return step;
  }

  it.each<['loss' | 'gradient', number, number[], string | undefined]>([
    ['loss', Number.NaN, [4], undefined],
    ['loss', Number.POSITIVE_INFINITY, [4], undefined],
    ['gradient', Number.NaN, [3, 4], 'bias'],
    ['gradient', Number.NEGATIVE_INFINITY, [3, 4], 'bias'],
  ])('stops at a %s of %s with the step, the rows and the tensor', async (what, value, blamed, tensor) => {
    const step = spoiled(4, what, value);
    const input = inputOf({ maxTokens: 10 }, step);
    const before: number[][] = [];
    const seen: string[] = [];
    const run = async () => {
      for await (const event of trainingLoop(input)) {
        seen.push(event.type);
        before.push(Array.from(step.trainables[0].values));
      }
    };
    const error = await run().catch((error) => error);
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error.code).toBe('training');
    expect(error.place).toEqual({ step: 2, rows: blamed, tensor });
    expect(seen).toEqual(['estimate', 'step']);
    // What the good step learned is still what the parameters say.
    expect(Array.from(step.trainables[0].values)).toEqual(before[1]);
  });

  const numbers: NonNullable<LoopSettings['numbers']> = {
    onNotFinite: 'skip',
    explosion: 10,
    onExplosion: 'skip',
    onStuck: 'warn',
    vocabulary: V,
    warmupSteps: 0,
  };

  it.each<['loss' | 'gradient', number[]]>([
    ['loss', [4]],
    ['gradient', [3, 4]],
  ])('leaves a step out where its %s is not finite and the policy says so', async (what, blamed) => {
    const step = spoiled(4, what, Number.NaN);
    const after: Record<string, number[]> = {};
    const told: object[] = [];
    for await (const event of trainingLoop(inputOf({ maxTokens: 10, numbers }, step))) {
      if (event.type === 'step' || event.type === 'warning') {
        after[event.step] = Array.from(step.trainables[0].values);
        told.push({ type: event.type, step: event.step });
      }
      if (event.type === 'warning') {
        expect(event).toMatchObject({
          kind: 'not-finite',
          applied: false,
          rows: blamed.map((row) => ({ row, loss: null })),
        });
      }
    }
    // Row 4 is of the second step of both epochs, which its other micro-batches leave too.
    const kinds = ['step', 'warning', 'step', 'step', 'warning', 'step'];
    expect(told).toEqual(kinds.map((type, i) => ({ type, step: i + 1 })));
    expect(after[2]).toEqual(after[1]);
    expect(after[3]).not.toEqual(after[2]);
  });

  it('never leaves an evaluation out', async () => {
    const step = spoiledEvaluation();
    const error = await collect(inputOf({ numbers }, step)).catch((error) => error);
    expect(error.place).toEqual({ step: 2, rows: [0] });
  });

  it('leaves the update of a step out that explodes, and tells it behind the step', async () => {
    const step = bigramStep(V);
    const { gradients } = step;
    step.gradients = async (samples, address) => {
      const result = await gradients(samples, address);
      if (address.step === 25)
        for (const values of result.gradients.values()) for (const i of values.keys()) values[i] *= 1000;
      return result;
    };
    const input = inputOf({ totalSteps: 26, evaluateEvery: 100, numbers }, step);
    const options = {
      epochs: 9,
      maxTokens: 1000,
      maxSteps: 26,
      stepsOfEpoch: () => [[0, 1, 2], [3, 4, 5], [6]],
    };
    const after: Record<number, number[]> = {};
    const warnings: LoopEvent[] = [];
    for await (const event of trainingLoop({
      ...input,
      validation: undefined,
      course: () => course(input.train.sizes, options),
    })) {
      if (event.type === 'step') after[event.step] = Array.from(step.trainables[0].values);
      if (event.type === 'warning') warnings.push(event);
    }
    expect(warnings).toMatchObject([
      { kind: 'explosion', step: 25, applied: false, rows: expect.any(Array) },
    ]);
    expect(after[25]).toEqual(after[24]);
    expect(after[26]).not.toEqual(after[25]);
  });

  it('stops at an evaluation that is not finite', async () => {
    const step = spoiledEvaluation();
    const error = await collect(inputOf({}, step)).catch((error) => error);
    expect(error.place).toEqual({ step: 2, rows: [0] });
  });
});

/** A step whose evaluations are not finite. */
function spoiledEvaluation() {
  const step = bigramStep(V);
  step.evaluate = async (samples) =>
    samples.map(() => ({
      losses: new Float32Array([1, Number.NaN]),
      hits: new Uint8Array(2),
      top: new Float32Array(2),
    }));
  return step;
}
