import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeFileVersion, encodeScalars, frameRecord } from '../../src/formats/tfevents.ts';
import type { BaselineEvent, EvaluateEvent, FinishEvent, StepEvent } from '../../src/train/events.ts';
import { openScalarLog, scalarsOf } from '../../src/train/tensorboard.ts';

const step: StepEvent = {
  type: 'step',
  step: 7,
  epoch: 1,
  loss: 0.5,
  gradNorm: 1.25,
  learningRate: 1e-4,
  labelTokens: 24,
  rows: 4,
  pictures: 1,
  rowTokens: 600,
  tokens: 300,
  tokensPerSecond: 100,
  secondsLeft: 10,
  seconds: 20,
  memory: 1024,
};

const scores = {
  rows: 4,
  tokens: 12,
  loss: 0.75,
  tokenAccuracy: 0.5,
  exactMatch: 0.25,
  calibrationError: 0.125,
};
const evaluation: EvaluateEvent = {
  type: 'evaluate',
  step: 7,
  best: true,
  seconds: 3,
  ...scores,
  answerLoss: 0.875,
  train: { ...scores, loss: 0.625, answerLoss: null },
  gap: { value: 0.125, low: -0.0625, high: 0.25 },
};

const asObject = (event: Parameters<typeof scalarsOf>[0]) =>
  Object.fromEntries(scalarsOf(event)?.scalars.map(({ tag, value }) => [tag, value]) ?? []);

describe('the scalars of a run', () => {
  it('are those of the step', () => {
    expect(scalarsOf(step)?.step).toBe(7);
    expect(asObject(step)).toEqual({
      'train/loss': 0.5,
      'train/gradient_norm': 1.25,
      'train/learning_rate': 1e-4,
      'train/label_tokens': 24,
      'time/tokens_per_second': 100,
      'time/memory_bytes': 1024,
    });
  });

  it('tell validation rows from the training rows that are scored beside them', () => {
    expect(asObject(evaluation)).toEqual({
      'validation/loss': 0.75,
      'validation/answer_loss': 0.875,
      'validation/token_accuracy': 0.5,
      'validation/exact_match': 0.25,
      'validation/calibration_error': 0.125,
      'validation/gap': 0.125,
      'validation/gap_low': -0.0625,
      'validation/gap_high': 0.25,
      'train_sample/loss': 0.625,
      'train_sample/token_accuracy': 0.5,
      'train_sample/exact_match': 0.25,
      'train_sample/calibration_error': 0.125,
    });
  });

  it('tell the answers that were given from the likeliest tokens', () => {
    const answers = {
      rows: 8,
      answers: 9,
      exactMatch: 0.5,
      interval: null,
      f1: 0.625,
      floor: 0.375,
      cut: 1,
      seconds: 2,
    };
    expect(asObject({ ...evaluation, answers })).toEqual({
      ...asObject(evaluation),
      'answers/exact_match': 0.5,
      'answers/f1': 0.625,
      'answers/floor': 0.375,
    });
  });

  it('begin at step 0 where the base was scored, and leave out what was not measured', () => {
    const baseline: BaselineEvent = { type: 'baseline', step: 0, seconds: 1, ...scores, answerLoss: null };
    expect(scalarsOf(baseline)?.step).toBe(0);
    expect(Object.keys(asObject(baseline))).toEqual([
      'validation/loss',
      'validation/token_accuracy',
      'validation/exact_match',
      'validation/calibration_error',
    ]);
  });

  it('have no place for other events', () => {
    const finish: FinishEvent = {
      type: 'finish',
      status: 'finished',
      step: 7,
      totalSteps: 7,
      best: null,
      seconds: 1,
      peakMemory: 1,
    };
    expect(scalarsOf(finish)).toBeUndefined();
    expect(scalarsOf({ type: 'notice', text: 'a word' })).toBeUndefined();
  });
});

describe('the scalar log', () => {
  it('writes an event a record, each with its time, and nothing for events without scalars', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorikeet-scalars-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'events.out.tfevents.lorikeet');
    let time = 1000;
    const log = openScalarLog(file, () => time++);
    log.add({ type: 'notice', text: 'a word' });
    log.add(step);
    log.add(evaluation);
    log.close();
    const expected = [
      encodeFileVersion(1000),
      encodeScalars({ ...scalarsOf(step)!, wallTime: 1001 }),
      encodeScalars({ ...scalarsOf(evaluation)!, wallTime: 1002 }),
    ];
    expect(readFileSync(file).equals(Buffer.concat(expected.map(frameRecord)))).toBe(true);
  });
});
