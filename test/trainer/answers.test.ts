import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { type EvaluatedEvent, evaluate } from '../../src/evaluate/evaluate.ts';
import type { Prediction } from '../../src/evaluate/prediction.ts';
import { openTrainingAnswers } from '../../src/evaluate/training-answers.ts';
import type { BaselineEvent, EvaluateEvent, FinishEvent, TrainEvent } from '../../src/train/events.ts';
import { run } from '../../src/train/run.ts';
import { inProcess, tinyRows, tinyRun } from '../train/tiny-run.ts';

const answering = { ...inProcess, openAnswers: openTrainingAnswers };

/** Short answers, learned by heart in a few steps: they come out wrong at first, right in part, and right. */
const easy = {
  train: {
    epochs: 12,
    gradientAccumulation: 2,
    learningRate: 2e-2,
    schedule: 'constant',
    evaluateEvery: 6,
    evaluateAnswers: 100,
    threads: 1,
  },
};

/** The run, and each adapter as it stood at its evaluation. */
async function trained(folder: string, set: string[] = [], options = answering) {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  const events: TrainEvent[] = [];
  for await (const event of run(config, options)) {
    events.push(event);
    if (event.type === 'evaluate')
      cpSync(join(folder, 'run/adapter'), adapterAt(folder, event), { recursive: true });
  }
  return events;
}

const adapterAt = (folder: string, { step }: { step: number }) => join(folder, `adapter-${step}`);

async function scored(folder: string, adapter: string, set: string[]): Promise<EvaluatedEvent> {
  const config = await loadConfig(join(folder, 'config.yaml'), { set });
  let last: EvaluatedEvent | undefined;
  const out = join(folder, 'scored');
  for await (const event of evaluate(config, { split: 'validation', adapter, out }))
    if (event.type === 'evaluated') last = event;
  return last!;
}

const evaluationsOf = (events: TrainEvent[]) => events.filter((event) => event.type === 'evaluate');

/** As `GivenAnswers`, from predictions and by hand. */
function tally(predictions: Prediction[]) {
  const share = (of: (prediction: Prediction) => number) =>
    predictions.reduce((sum, prediction) => sum + of(prediction), 0) / predictions.length;
  return {
    answers: predictions.length,
    exactMatch: share(({ exact }) => Number(exact)),
    f1: share(({ f1 }) => f1),
    floor: share(({ floor }) => Number(floor.exact)),
    cut: predictions.filter(({ finish }) => finish === 'length').length,
  };
}

const close = (given: ReturnType<typeof tally>) => ({
  ...given,
  exactMatch: expect.closeTo(given.exactMatch, 10),
  f1: expect.closeTo(given.f1, 10),
  floor: expect.closeTo(given.floor, 10),
});

const held = (folder: string) => ['data.validation=train.jsonl', `output=${join(folder, 'run')}`];

describe('answers in training', () => {
  it('are those that the adapter of that step gives to lorikeet evaluate, before step 1 those of the base', async () => {
    const folder = tinyRun(easy);
    const set = held(folder);
    const events = await trained(folder, set);
    const evaluations = evaluationsOf(events);
    expect(evaluations.length).toBeGreaterThan(3);
    for (const event of evaluations) {
      const { predictions, scorecard } = await scored(folder, adapterAt(folder, event), set);
      expect(event.answers).toMatchObject({ rows: tinyRows.length, ...close(tally(predictions)) });
      const { low, high } = scorecard.overall.exactMatch;
      expect(event.answers!.interval).toEqual({ low, high });
    }
    const baseline = events.find((event) => event.type === 'baseline') as BaselineEvent;
    expect(baseline.answers).toMatchObject(close(tally((await scored(folder, 'base', set)).predictions)));
    // Something was learned between, or the comparison would be of zeros.
    const shares = evaluations.map(({ answers }) => answers!.exactMatch);
    expect(baseline.answers!.exactMatch).toBeLessThan(Math.max(...shares));
  });

  it('are given to the same rows every time, as many as asked for', async () => {
    const folder = tinyRun(easy);
    const set = [...held(folder), 'train.epochs=2', 'train.evaluateAnswers=2'];
    const rowsOf = async (seed: number) => {
      const seen: number[][] = [];
      const watched: typeof answering = {
        ...answering,
        async openAnswers(model, plan, stopped) {
          const opened = await openTrainingAnswers(model, plan, stopped);
          seen.push([...opened.rows]);
          return opened;
        },
      };
      const events = await trained(folder, [...set, `train.seed=${seed}`], { ...watched, overwrite: true });
      for (const { answers } of evaluationsOf(events)) expect(answers).toMatchObject({ rows: 2, answers: 2 });
      return seen[0];
    };
    const first = await rowsOf(1);
    expect(first).toHaveLength(2);
    expect(await rowsOf(1)).toEqual(first);
    const others = [await rowsOf(2), await rowsOf(3), await rowsOf(4)];
    expect(others.some((rows) => String(rows) !== String(first))).toBe(true);
  });

  it('choose best/ and end the run', async () => {
    const folder = tinyRun(easy);
    const set = [...held(folder), 'train.bestBy=answers.exactMatch', 'train.patience=2', 'train.epochs=60'];
    const events = await trained(folder, set);
    const finish = events.at(-1) as FinishEvent;
    const evaluations = evaluationsOf(events);
    const most = Math.max(...evaluations.map(({ answers }) => answers!.exactMatch));
    const first = evaluations.find(({ answers }) => answers!.exactMatch === most) as EvaluateEvent;
    expect(finish).toMatchObject({
      status: 'finished',
      best: { step: first.step, loss: first.loss, metric: 'answers.exactMatch', value: most },
      stoppedEarly: { patience: 2, bestStep: first.step },
    });
    expect(finish.step).toBe(first.step + 2 * 6);
    expect(finish.step).toBeLessThan(finish.totalSteps);
    const weights = (dir: string) => readFileSync(join(dir, 'adapter_model.safetensors'));
    expect(weights(join(folder, 'run/best'))).toEqual(weights(adapterAt(folder, first)));
    expect(weights(join(folder, 'run/adapter'))).toEqual(weights(adapterAt(folder, evaluations.at(-1)!)));
    const record = JSON.parse(readFileSync(join(folder, 'run/run.json'), 'utf8'));
    expect(record).toMatchObject({ status: 'finished', finish: { stoppedEarly: { patience: 2 } } });
    const lines = readFileSync(join(folder, 'run/metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'evaluate')).toEqual(
      evaluations,
    );
  });

  it('of a model that is trained whole are those of what it writes', async () => {
    const folder = tinyRun({ train: { ...easy.train, learningRate: 2e-3, evaluateEvery: 0 } });
    const set = [...held(folder), 'full.parameters=all', 'train.epochs=6'];
    const events = await trained(folder, set);
    const [last] = evaluationsOf(events);
    const { predictions } = await scored(folder, join(folder, 'run/adapter'), set);
    expect(last.answers).toMatchObject(close(tally(predictions)));
  });

  it('stop where somebody stops the run, and what was learned is kept', async () => {
    const folder = tinyRun(easy);
    let asked = false;
    let calls = 0;
    const options: typeof answering = {
      ...answering,
      // Some tokens into the answers of the first evaluation after step 1.
      stopped: () => asked && calls++ > 4,
      async openAnswers(model, plan, stopped) {
        const opened = await openTrainingAnswers(model, plan, stopped);
        const answer = (step: number) => {
          asked = step > 0;
          return opened.answer(step);
        };
        return { ...opened, answer };
      },
    };
    const events = await trained(folder, held(folder), options);
    expect(events.at(-1)).toMatchObject({ type: 'finish', status: 'stopped', step: 6 });
    expect(evaluationsOf(events)).toEqual([]);
    expect(existsSync(join(folder, 'run/adapter/adapter_model.safetensors'))).toBe(true);
  });

  it('leave out a row whose picture is lost on the way, where rows may be skipped', async () => {
    const folder = tinyRun({ ...easy, onBadRow: 'skip' });
    writeFileSync(join(folder, 'val.jsonl'), tinyRows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const config = await loadConfig(join(folder, 'config.yaml'), { set: ['train.epochs=2'] });
    const events: TrainEvent[] = [];
    for await (const event of run(config, answering)) {
      events.push(event);
      if (event.type === 'baseline') rmSync(join(folder, 'b.png'));
    }
    const answers = events.flatMap((event) => ('answers' in event ? [event.answers] : []));
    expect(answers).toMatchObject([
      { rows: 5, interval: {} },
      { rows: 3, interval: null },
    ]);
  });
});
