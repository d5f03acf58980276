import { describe, expect, it } from 'vitest';
import { lossByType, worstRows } from '../../src/report/row-figures.ts';
import { rowScore } from './row-scores.ts';

const easy = rowScore(
  0,
  [
    ['answer', 0.2, true, 0.8],
    ['end', 0.1, true, 0.9],
    ['end', 0, false, 0.9],
  ],
  { type: 'yes/no' },
);
const hard = rowScore(
  1,
  [
    ['answer', 4, false, 0.5],
    ['answer', 2, true, 0.5],
    ['end', 0.3, true, 0.9],
  ],
  { type: 'colour' },
);
const twoTurns = rowScore(
  2,
  [
    ['answer', 1, true, 0.5],
    ['end', 0, true, 1],
    ['end', 0, true, 1],
    ['answer', 1, false, 0.5],
    ['end', 0, true, 1],
  ],
  { type: 'yes/no' },
);

describe('the worst rows', () => {
  it('come by their mean loss, with that of the answer beside it', () => {
    const rows = worstRows([easy, twoTurns, hard], 2);
    expect(rows.map(({ score }) => score.row)).toEqual([1, 2]);
    expect(rows[0].loss).toBeCloseTo(6.3 / 3, 12);
    expect(rows[0].answerLoss).toBe(3);
    expect(rows[1].loss).toBeCloseTo(2 / 5, 12);
  });

  it('leave out rows without tokens, and know rows without an answer', () => {
    const empty = rowScore(3, []);
    const endOnly = rowScore(4, [['end', 1, true, 1]]);
    expect(worstRows([empty, endOnly], 5)).toMatchObject([{ loss: 1, answerLoss: null }]);
  });
});

describe('loss by question type', () => {
  it('weighs tokens, and counts turns for exact match', () => {
    const [yesNo, colour] = lossByType([easy, hard, twoTurns]);
    expect(yesNo).toMatchObject({ type: 'yes/no', rows: 2, tokens: 8 });
    expect(yesNo.loss).toBeCloseTo(2.3 / 8, 12);
    expect(yesNo.answerLoss).toBeCloseTo(2.2 / 3, 12);
    expect(yesNo.exactMatch).toBeCloseTo(2 / 3, 12);
    expect(colour).toMatchObject({ type: 'colour', rows: 1, tokens: 3, answerLoss: 3, exactMatch: 0 });
  });

  it('needs a row that says its type, and keeps those that do not apart', () => {
    const untyped = rowScore(5, [['answer', 1, true, 0.5]]);
    expect(lossByType([untyped])).toEqual([]);
    expect(lossByType([hard, untyped]).map(({ type }) => type)).toEqual(['(no type)', 'colour']);
  });
});
