import { describe, expect, it } from 'vitest';
import { AnswerGuesser, AnswerLearner, AnswerTree } from '../../src/check/chance.ts';
import { stream } from '../../src/random.ts';
import { encodedRow } from '../train/bigram.ts';

describe('the tree of training answers', () => {
  it('gives what a hand computes', () => {
    // V = 4, so five outcomes with the end (4). Answers: [0 1], [0 1], [0 2], [3].
    const tree = new AnswerTree(4);
    for (const answer of [[0, 1], [0, 1], [0, 2], [3]]) tree.add(answer, true);
    // 11 events: 0 three times, 1 twice, 2 and 3 once, the end four times; five different ones.
    const unigram = (times: number) => (times + 5 / 5) / (11 + 5);
    // After nothing: 0 in three of four answers, 3 in one; two ways.
    expect(tree.probability([], 0)).toBeCloseTo((3 + 2 * unigram(3)) / 6, 12);
    expect(tree.probability([], 3)).toBeCloseTo((1 + 2 * unigram(1)) / 6, 12);
    expect(tree.probability([], 1)).toBeCloseTo((2 * unigram(2)) / 6, 12);
    // After 0: 1 twice, 2 once; two ways. After 0 1: the end, twice; one way.
    expect(tree.probability([0], 1)).toBeCloseTo((2 + 2 * unigram(2)) / 5, 12);
    expect(tree.probability([0], 4)).toBeCloseTo((2 * unigram(4)) / 5, 12);
    expect(tree.probability([0, 1], 4)).toBeCloseTo((2 + unigram(4)) / 3, 12);
    // Nobody wrote 2 first: the unigram.
    expect(tree.probability([2], 1)).toBeCloseTo(unigram(2), 12);
    expect(tree.costs([0, 2])).toEqual([
      -Math.log(tree.probability([], 0)),
      -Math.log(tree.probability([0], 2)),
    ]);
  });

  const sumOver = (tree: AnswerTree, prefix: number[], outcomes: number) => {
    let sum = 0;
    for (let token = 0; token < outcomes; token++) sum += tree.probability(prefix, token);
    return sum;
  };

  it('is a distribution after every prefix, seen or not', () => {
    const draws = stream(1, 'answers');
    const tree = new AnswerTree(50);
    const drawn = () => Array.from({ length: 1 + draws.integer(6) }, () => draws.integer(20));
    const answers = Array.from({ length: 300 }, drawn);
    for (const [i, answer] of answers.entries()) tree.add(answer, i % 7 !== 0);
    expect(sumOver(tree, [], 51)).toBeCloseTo(1, 10);
    for (const answer of [...answers.slice(0, 60), ...Array.from({ length: 60 }, drawn), [49], [49, 3]]) {
      for (let length = 1; length <= answer.length; length++) {
        expect(sumOver(tree, answer.slice(0, length), 51)).toBeCloseTo(1, 10);
      }
    }
  });

  it('knows nothing before it has read anything', () => {
    const tree = new AnswerTree(9);
    expect(tree.probability([], 3)).toBe(0.1);
    expect(tree.probability([1, 2], 9)).toBe(0.1);
  });

  it('is bounded, and stays a distribution beyond its bound', () => {
    const tree = new AnswerTree(30_000);
    const answerOf = (n: number) => [n % 30_000, Math.floor(n / 30_000), 7];
    const answers = 700_000;
    let sevens = 0;
    for (let n = 0; n < answers; n++) {
      tree.add(answerOf(n), true);
      sevens += answerOf(n).filter((id) => id === 7).length;
    }
    expect(sumOver(tree, [5], 30_001)).toBeCloseTo(1, 8);
    // All 30,000 words and the end were seen. Two prefixes an answer fill the 524,288 long before the last one.
    const unigram = (sevens + 30_001 / 30_001) / (4 * answers + 30_001);
    const [first, second] = answerOf(answers - 1);
    expect(tree.probability([first, second], 7)).toBeCloseTo(unigram, 12);
    expect(tree.probability([0, 0], 7)).toBeCloseTo((1 + unigram) / 2, 12);
  });
});

describe('guessing', () => {
  const row = (n: number, ids: number[], kinds: string) => ({ encoded: encodedRow(n, ids, kinds) });

  it('costs the mean over the content tokens of the answers alone', () => {
    const learner = new AnswerLearner(9);
    learner.add(row(0, [8, 1, 2, 7, 6], 'uaaee'));
    learner.add(row(1, [8, 1, 7, 8, 3, 7], 'uaeuae'));
    const guesser = new AnswerGuesser(learner.tree);
    guesser.add(row(0, [8, 8, 1, 2, 7], 'uuaae'));
    guesser.add(row(1, [3, 7], 'ae'));
    const p = (prefix: number[], token: number) => -Math.log(learner.tree.probability(prefix, token));
    expect(guesser.mean).toBeCloseTo((p([], 1) + p([1], 2) + p([], 3)) / 3, 12);
    // Three answers, all whole.
    expect(learner.tree.probability([1], 9)).toBeGreaterThan(learner.tree.probability([1], 5));
  });

  it('takes an answer that was cut for one without an end', () => {
    const learner = new AnswerLearner(9);
    learner.add(row(0, [8, 1, 2], 'uaa'));
    const whole = new AnswerLearner(9);
    whole.add(row(0, [8, 1, 2, 7], 'uaae'));
    expect(learner.tree.probability([1, 2], 9)).toBeLessThan(whole.tree.probability([1, 2], 9));
  });
});
