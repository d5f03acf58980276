import { describe, expect, it } from 'vitest';
import { type BestMetric, bestMetrics } from '../../src/config/best-metrics.ts';
import { figureOf, noneYet, standingAfter } from '../../src/train/best.ts';
import type { Evaluation } from '../../src/train/events.ts';

/** An evaluation whose every figure has a value of its own. */
const whole: Evaluation = {
  step: 7,
  loss: 1,
  rows: 2,
  tokens: 3,
  tokenAccuracy: 0.4,
  exactMatch: 0.5,
  answerLoss: 6,
  calibrationError: 0.7,
  answers: { rows: 1, answers: 1, exactMatch: 0.8, interval: null, f1: 0.9, floor: 0.1, cut: 0, seconds: 1 },
  seconds: 1,
};

/** An evaluation with this value of a figure. */
function withFigure(metric: BestMetric, step: number, value: number): Evaluation {
  const [section, figure] = metric.split('.');
  const scores =
    figure === undefined ? { [section]: value } : { answers: { ...whole.answers!, [figure]: value } };
  return { ...whole, step, loss: 10 + step, ...scores };
}

describe('the figure that chooses', () => {
  it('is read where it stands', () => {
    expect(bestMetrics.map((metric) => [metric, figureOf(whole, metric)])).toEqual([
      ['loss', 1],
      ['answerLoss', 6],
      ['tokenAccuracy', 0.4],
      ['exactMatch', 0.5],
      ['calibrationError', 0.7],
      ['answers.exactMatch', 0.8],
      ['answers.f1', 0.9],
    ]);
  });

  it.each<[BestMetric, number[], number[], number]>([
    ['loss', [3, 2, 2.5, 2, 1], [1, 2, 5], 0],
    ['answerLoss', [3, 4, 2, 2], [1, 3], 1],
    ['calibrationError', [0.1, 0.2, 0.05, 0.3], [1, 3], 1],
    ['tokenAccuracy', [0.1, 0.2, 0.05, 0.2, 0.3], [1, 2, 5], 0],
    ['exactMatch', [0.5, 0.5, 0.5], [1], 2],
    ['answers.exactMatch', [0, 0.5, 0.25], [1, 2], 1],
    ['answers.f1', [0.9, 0.8, 0.7, 0.6], [1], 3],
  ])('%s: of %j the best in turn are the evaluations %j', (metric, values, expected, since) => {
    let standing = noneYet;
    const bests: number[] = [];
    values.forEach((value, i) => {
      const step = i + 1;
      standing = standingAfter(standing, withFigure(metric, step, value), metric);
      if (standing.best?.step === step) bests.push(step);
    });
    expect(bests).toEqual(expected);
    const last = expected.at(-1)!;
    const loss = metric === 'loss' ? values[last - 1] : 10 + last;
    expect(standing).toEqual({ best: { step: last, loss, metric, value: values[last - 1] }, since });
  });

  it('changes nothing where an evaluation does not have it', () => {
    const first = standingAfter(noneYet, { ...whole, answers: undefined }, 'answers.f1');
    expect(first).toEqual(noneYet);
    const good = standingAfter(first, whole, 'answers.f1');
    expect(standingAfter(good, { ...whole, step: 9, answers: undefined }, 'answers.f1')).toEqual(good);
    expect(standingAfter(noneYet, { ...whole, answerLoss: null }, 'answerLoss')).toEqual(noneYet);
    expect(standingAfter(noneYet, { ...whole, calibrationError: Number.NaN }, 'calibrationError')).toEqual(
      noneYet,
    );
  });
});
