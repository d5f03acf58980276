import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LorikeetError } from '../src/errors.ts';
import { crossEntropy } from '../src/loss.ts';

// torch 2.13: manual_seed(0), randn(5, 7) * 3, row 2 times 30, rounded to 4 places; F.cross_entropy in float64
const logits = [
  [-3.3775, -3.4571, -0.7517, -1.3016, 2.5461, 2.076, -0.948],
  [-6.3457, 0.9668, -3.79, 1.0499, 0.9244, 0.3595, 3.713],
  [100.5099, -22.255, -121.7388, -152.6338, 50.9986, 22.3573, 39.5726],
  [0.3372, 1.9224, 1.3235, -0.6476, -2.2276, 1.6882, 0.1575],
  [1.5686, 6.9066, -4.4067, -4.7601, 3.6097, 0.2536, -3.6004],
];
const labels = [3, -100, 0, 6, 2];
const torchPerToken = [4.389300404069419, 0, 0, 2.7977391909954488, 11.35553676510768];
const torchLoss = 4.635644090043137;

describe('crossEntropy', () => {
  it.each([
    ['nested arrays', logits, labels],
    ['nested typed arrays', logits.map((row) => Float64Array.from(row)), Int32Array.from(labels)],
    ['flat numbers', logits.flat(), labels],
    ['flat float64', Float64Array.from(logits.flat()), Int32Array.from(labels)],
  ])('equals PyTorch from %s', (_, values, targets) => {
    const { loss, perToken, count } = crossEntropy(values, targets);
    expect(loss).toBeCloseTo(torchLoss, 12);
    expect(count).toBe(4);
    for (const [n, value] of torchPerToken.entries()) expect(perToken[n]).toBeCloseTo(value, 12);
  });

  it('reads float32 logits as they are', () => {
    expect(crossEntropy(Float32Array.from(logits.flat()), labels).loss).toBeCloseTo(torchLoss, 5);
  });

  it('neither overflows nor underflows', () => {
    expect(crossEntropy([[1e4, 0]], [0]).loss).toBe(0);
    expect(crossEntropy([[1e4, 0]], [1]).loss).toBe(1e4);
    expect(crossEntropy([[-1e308, -1e308]], [1]).loss).toBeCloseTo(Math.LN2, 12);
    expect(crossEntropy([[0, Number.NEGATIVE_INFINITY, 1]], [2]).loss).toBeCloseTo(0.31326165795326233, 7);
    expect(crossEntropy([[0, Number.NEGATIVE_INFINITY, 1]], [1]).loss).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets a broken logit show', () => {
    expect(
      crossEntropy(
        [
          [0, Number.NaN],
          [0, 0],
        ],
        [0, 0],
      ).loss,
    ).toBeNaN();
    expect(crossEntropy([[0, Number.POSITIVE_INFINITY]], [0]).loss).toBeNaN();
  });

  it('of uniform logits is ln V', () => {
    expect(crossEntropy(new Float32Array(3 * 151_936), [0, 7, 151_935]).loss).toBeCloseTo(
      Math.log(151_936),
      10,
    );
  });

  it('takes another ignoreIndex, also one inside the vocabulary', () => {
    expect(
      crossEntropy(
        [
          [0, 0],
          [0, 9],
        ],
        [0, 1],
        { ignoreIndex: 0 },
      ),
    ).toMatchObject({ count: 1 });
    expect(() => crossEntropy([[0, 0]], [-100], { ignoreIndex: -1 })).toThrow(/from 0 to 1 or -1, got -100/);
  });

  it.each([
    [
      'a label past the vocabulary',
      [[0, 0]],
      [2],
      /row 0: label expected an integer from 0 to 1 or -100, got 2/,
    ],
    ['a negative label', [[0, 0]], [-1], /got -1/],
    ['a label that is no integer', [[0, 0]], [0.5], /got 0.5/],
    ['flat logits that do not divide', [0, 0, 0], [0, 1], /N x V values for N = 2 labels, got 3/],
    ['no flat logits', [], [0], /got 0/],
    [
      'too few labels',
      [
        [0, 0],
        [0, 0],
      ],
      [0],
      /one for each of 2 rows of logits, got 1/,
    ],
    ['ragged rows', [[0, 0], [0]], [0, 0], /row 1: logits expected 2 values in every row, got 1/],
    [
      'only ignored labels',
      [
        [0, 0],
        [0, 0],
      ],
      [-100, -100],
      /at least one that is not -100, got 2 rows/,
    ],
    ['nothing at all', [], [], /at least one/],
  ])('refuses %s', (_, values, targets, message) => {
    const call = () => crossEntropy(values as number[][], targets);
    expect(call).toThrow(LorikeetError);
    expect(call).toThrow(message);
  });
});

/** Every module that a file reaches by value, relative ones followed. */
function reached(file: URL, seen = new Set<string>()): Set<string> {
  if (seen.has(file.href)) return seen;
  seen.add(file.href);
  const source = readFileSync(file, 'utf8');
  const specifiers = [
    ...source.matchAll(/^(?:import|export)\b(?! type\b)[^;]*?from\s*['"]([^'"]+)['"]/gms),
    ...source.matchAll(/^import\s*['"]([^'"]+)['"]/gm),
    ...source.matchAll(/\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/g),
  ].map((match) => match[1]);
  for (const specifier of specifiers) {
    if (specifier.startsWith('.')) reached(new URL(specifier, file), seen);
    else seen.add(specifier);
  }
  return seen;
}

describe('the import graph', () => {
  it('of lorikeet/loss reaches neither onnxruntime nor sharp nor node', () => {
    const modules = [...reached(new URL('../src/loss.ts', import.meta.url))];
    expect(modules.map((module) => module.split('/src/').at(-1))).toEqual(['loss.ts', 'errors.ts']);
  });

  it('is walked far enough to see them elsewhere', () => {
    const modules = [...reached(new URL('../src/train/encoder.ts', import.meta.url))];
    expect(modules).toEqual(expect.arrayContaining(['sharp', 'node:fs/promises']));
  });
});
