import { describe, expect, it } from 'vitest';
import type { Judged } from '../../src/evaluate/estimates.ts';
import { judge } from '../../src/evaluate/judge.ts';
import type { Prediction, ScoredAnswer } from '../../src/evaluate/prediction.ts';

const answer = (exact: boolean, changes: Partial<ScoredAnswer> = {}): ScoredAnswer => ({
  predicted: exact ? 'right' : 'wrong',
  exact,
  f1: exact ? 1 : 0.5,
  probability: 0.75,
  finish: 'stop',
  ...changes,
});

function judged(row: number, cluster: string, exact: boolean, changes: Partial<Prediction> = {}): Judged {
  const prediction: Prediction = {
    row,
    turn: 0,
    question: `question ${row}`,
    images: ['a.png'],
    expected: 'right',
    ...answer(exact),
    loss: 2,
    tokens: 4,
    characters: 5,
    floor: { predicted: 'right', exact: row % 2 === 0, from: 'question' },
    ...changes,
  };
  return { cluster, prediction };
}

describe('figures of an evaluation', () => {
  it('weigh losses by tokens, by answers and by characters', () => {
    const rows = [
      judged(0, 'a', true, { loss: 3, tokens: 1, characters: 4 }),
      judged(1, 'b', true, { loss: 1, tokens: 3, characters: 1 }),
      judged(2, 'b', false, { loss: null, tokens: 0, characters: 9 }), // cut: no part of any loss
    ];
    const { loss, answers } = judge(rows, 1).overall;
    expect(answers).toBe(3);
    expect(loss!.perToken).toMatchObject({ value: 4 / 4, rows: 2 });
    expect(loss!.perAnswer.value).toBe(4 / 2);
    expect(loss!.perCharacter.value).toBe(4 / 5);
    expect(loss!.perplexity.value).toBeCloseTo(Math.E, 12);
    expect(judge(rows.slice(2), 1).overall.loss).toBeUndefined();
  });

  it('score each kind of answer over its own rows', () => {
    const rows = [
      judged(0, 'a', true, { expected: 'Yes' }),
      judged(1, 'b', false, { expected: 'no' }),
      judged(2, 'c', true, { expected: '3', number: true }),
      judged(3, 'd', true, { expected: 'in the upper left corner', bleu1: 0.5, rougeL: 0.25 }),
    ];
    const { overall } = judge(rows, 1);
    expect(overall.exactMatch.value).toBe(3 / 4);
    expect(overall.tokenF1.value).toBe((1 + 0.5 + 1 + 1) / 4);
    expect(overall.yesNo).toMatchObject({ value: 1 / 2, rows: 2 });
    expect(overall.number).toMatchObject({ value: 1, rows: 1, clusters: 1, low: null });
    expect(overall.bleu1).toMatchObject({ value: 0.5, rows: 1 });
    expect(overall.rougeL).toMatchObject({ value: 0.25, rows: 1 });
  });

  it('come by question type and answer type, the largest first', () => {
    const rows = [
      judged(0, 'a', true, { type: 'place', answerType: 'open' }),
      judged(1, 'a', false, { type: 'count', answerType: 'open' }),
      judged(2, 'b', true, { type: 'count' }),
    ];
    const { types, answerTypes } = judge(rows, 1);
    expect(types.map(({ type, exactMatch }) => [type, exactMatch.value])).toEqual([
      ['count', 0.5],
      ['place', 1],
    ]);
    expect(answerTypes.map(({ type, answers }) => [type, answers])).toEqual([['open', 2]]);
  });

  it('hold answers’ probability against their being right, in ten bins', () => {
    const rows = [
      judged(0, 'a', true, { probability: 0.95 }),
      judged(1, 'b', false, { probability: 0.95 }),
      judged(2, 'c', false, { probability: 0.05 }),
    ];
    const { calibration } = judge(rows, 1);
    expect(calibration.answers).toBe(3);
    // |1 - 1.9| / 3 + |0 - 0.05| / 3
    expect(calibration.error).toBeCloseTo((0.9 + 0.05) / 3, 12);
    expect(calibration.bins[9]).toMatchObject({ answers: 2, accuracy: 0.5, confidence: 0.95 });
  });

  it('tell the floor and where its guesses come from', () => {
    const wrong = { predicted: 'x', exact: false };
    const rows = Array.from({ length: 30 }, (_, i) =>
      judged(i, `p${i}`, i < 15, { floor: { ...wrong, from: i % 3 ? 'question' : 'all' } }),
    );
    const { floor } = judge(rows, 1);
    expect(floor.exactMatch.value).toBe(0);
    expect(floor.gain.value).toBe(0.5);
    expect(floor.from).toEqual({ question: 20, answerType: 0, all: 10 });
    expect(floor.verdict).toBe('50.0 points above the floor.');
  });

  it.each([
    ['the same', (i: number) => i % 2 === 0, /^Not told apart from the floor/],
    ['worse', () => false, /^50\.0 points BELOW the floor/],
  ])('say where a model is %s than guessing', (_, isRight, verdict) => {
    const rows = Array.from({ length: 40 }, (_, i) => judged(i, `p${i}`, isRight(i)));
    expect(judge(rows, 1).floor.verdict).toMatch(verdict);
  });

  const shuffled = (exact: boolean, rightElsewhere: number | null) => ({
    shuffled: { ...answer(exact), images: ['b.png'], rightElsewhere },
  });

  it('say that the image was used where the score drops on other pictures', () => {
    const rows = Array.from({ length: 30 }, (_, i) =>
      judged(i, `p${i}`, true, shuffled(i % 3 === 0, i < 10 ? 0.6 : null)),
    );
    const { imageTest } = judge([...rows, judged(30, 'text', false)], 1);
    expect(imageTest).toMatchObject({ answers: 30, usesImage: true });
    expect(imageTest!.own.value).toBe(1);
    expect(imageTest!.shuffled.value).toBeCloseTo(1 / 3, 12);
    expect(imageTest!.drop.value).toBeCloseTo(2 / 3, 12);
    expect(imageTest!.rightElsewhere).toMatchObject({ value: expect.closeTo(0.6, 12), rows: 10 });
    expect(imageTest!.verdict).toBe(
      'The score drops by 66.7 points on wrong pictures: the answers use the image.',
    );
  });

  it('look at token F1 where no answer is right to the letter', () => {
    const rows = Array.from({ length: 30 }, (_, i) =>
      judged(i, `p${i}`, false, {
        f1: 0.6,
        shuffled: { ...answer(false, { f1: i % 2 ? 0.1 : 0.3 }), images: ['b.png'], rightElsewhere: null },
      }),
    );
    const { imageTest } = judge(rows, 1);
    expect(imageTest).toMatchObject({
      usesImage: true,
      drop: { value: 0 },
      dropF1: { value: expect.closeTo(0.4, 12) },
    });
    expect(imageTest!.verdict).toContain('token F1 does by 40.0 points: the answers use the image');
  });

  it('say that the image was not used where it does not', () => {
    const rows = Array.from({ length: 30 }, (_, i) =>
      judged(i, `p${i}`, i % 2 === 0, shuffled(i % 2 === 0, 1)),
    );
    const { imageTest } = judge(rows, 1);
    expect(imageTest!.usesImage).toBe(false);
    expect(imageTest!.verdict).toContain('did not use the image');
    expect(judge([judged(0, 'a', true)], 1).imageTest).toBeUndefined();
    const alone = judge([judged(0, 'a', true, shuffled(false, 1))], 1).imageTest!;
    expect(alone).toMatchObject({ usesImage: false, verdict: expect.stringContaining('One picture alone') });
  });

  it('compare two models row by row, clusters flipped together', () => {
    const other = { model: '/base', adapter: null, reason: 'asked for' };
    const against = (exact: boolean, loss: number | null = 3) => ({ against: { ...answer(exact), loss } });
    const rows = [
      ...Array.from({ length: 5 }, (_, i) => judged(i, `p${i}`, true, against(false))),
      judged(5, 'p5', false, against(true)),
      judged(6, 'p6', true, against(true, null)),
    ];
    const comparison = judge(rows, 1, other).against!;
    expect(comparison.exactMatch.value).toBe(2 / 7);
    expect(comparison.difference.exactMatch.value).toBeCloseTo(4 / 7, 12);
    // Six clusters of ±1 that sum to 4 or further out: 2 (1 + 6) of 64.
    expect(comparison.difference.exactMatch.p).toBe(14 / 64);
    expect(comparison.difference.perToken).toMatchObject({ value: -6 / 24, rows: 6 });
    expect(comparison.changed.map(({ row, exact }) => [row, exact])).toEqual([
      [0, true],
      [1, true],
      [2, true],
      [3, true],
      [4, true],
      [5, false],
    ]);
    expect(comparison.verdict).toBe('Not told apart from the other (p = 0.219).');
  });

  it('count answers that were cut', () => {
    expect(judge([judged(0, 'a', true), judged(1, 'a', false, { finish: 'length' })], 1).cut).toBe(1);
  });
});
