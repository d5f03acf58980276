import { describe, expect, it } from 'vitest';
import { readMetricsLine } from '../../src/watch/points.ts';

describe('a line of metrics.jsonl', () => {
  const evaluation = {
    type: 'evaluate',
    step: 50,
    loss: 1.5,
    answerLoss: null,
    tokenAccuracy: 0.5,
    exactMatch: 0.25,
    train: { loss: 1.25 },
  };

  it('becomes the columns that the live curves draw', () => {
    const answers = { rows: 8, exactMatch: 0.75, f1: 0.8, floor: 0.5 };
    const { evaluation: point } = readMetricsLine(JSON.stringify({ ...evaluation, answers }));
    expect(point).toEqual([50, 1.5, null, 0.5, 0.25, 1.25, 0.75, 0.8, 0.5]);
  });

  it('has holes where the run gave no answers, or figures that are none', () => {
    const columns = (line: object) => readMetricsLine(JSON.stringify(line)).evaluation?.slice(6);
    expect(columns(evaluation)).toEqual([null, null, null]);
    expect(columns({ ...evaluation, answers: { exactMatch: 'all', f1: 1 } })).toEqual([null, 1, null]);
    expect(columns({ ...evaluation, answers: [0.5] })).toEqual([null, null, null]);
  });
});
