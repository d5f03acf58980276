import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { candidates, createSampler, likeliestToken, logProbability } from '../../src/generate/sampling.ts';

interface Case {
  logits: string;
  settings: { temperature: number; topK?: number; topP?: number };
  ids: number[];
  probabilities: number[];
}

/** From transformers' logits warpers: reference/make_sampling.py. */
const fixture: { logits: Record<string, (number | null)[]>; cases: Case[] } = JSON.parse(
  readFileSync(new URL('../fixtures/generate/sampling.json', import.meta.url), 'utf8'),
);
const logitsOf = (name: string) =>
  Float32Array.from(fixture.logits[name], (value) => value ?? Number.NEGATIVE_INFINITY);

describe('candidates', () => {
  it.each(
    fixture.cases.map((entry) => [`${entry.logits} ${JSON.stringify(entry.settings)}`, entry] as const),
  )('%s', (_, { logits, settings, ids, probabilities }) => {
    const kept = candidates(logitsOf(logits), settings);
    const total = kept.weights.reduce((sum, weight) => sum + weight, 0);
    const found = kept.ids.flatMap((id, i) => (kept.weights[i] > 0 ? [[id, kept.weights[i] / total]] : []));
    expect(found.map(([id]) => id)).toEqual(ids);
    found.forEach(([, probability], i) => {
      expect(probability).toBeCloseTo(probabilities[i], 6);
    });
  });
});

it.each([Float32Array.of(1, 3, 2), Float32Array.of(-3, -1, -2)])(
  'a temperature that f32 cannot divide by leaves the likeliest',
  (logits) => {
    expect(candidates(logits, { temperature: 1e-40 })).toEqual({ ids: [1], weights: [1] });
    const broken = logits.map((logit, id) => (id === 0 ? Number.NaN : logit));
    expect(() => candidates(broken, { temperature: 1e-40 })).toThrow('got NaN or infinity');
  },
);

describe('createSampler', () => {
  const logits = Float32Array.of(0, Math.log(2), Math.log(5), -30);

  it('takes the likeliest token unless asked, ties to the smaller id', () => {
    expect(createSampler({})(logits, 0)).toBe(2);
    expect(createSampler({ temperature: 0, topP: 0.5 })(logits, 7)).toBe(2);
    expect(createSampler({ topK: 1 })(logits, 3)).toBe(2);
    expect(likeliestToken(Float32Array.of(1, 3, 3, 2))).toBe(1);
  });

  it('draws by probability, from seed and position alone', () => {
    const sample = createSampler({ temperature: 1, seed: 11 });
    const draws = Array.from({ length: 8000 }, (_, position) => sample(logits, position));
    expect(draws).toEqual(
      Array.from({ length: 8000 }, (_, i) => createSampler({ temperature: 1, seed: 11 })(logits, i)),
    );
    const other = createSampler({ temperature: 1, seed: 12 });
    expect(draws).not.toEqual(draws.map((_, position) => other(logits, position)));
    const share = (id: number) => draws.filter((drawn) => drawn === id).length / draws.length;
    // 1 : 2 : 5 of 8; four standard deviations of a share of 8,000 draws are 0.022 at most.
    expect(Math.abs(share(0) - 1 / 8)).toBeLessThan(0.022);
    expect(Math.abs(share(1) - 2 / 8)).toBeLessThan(0.022);
    expect(Math.abs(share(2) - 5 / 8)).toBeLessThan(0.022);
    expect(share(3)).toBe(0);
  });

  it('says so where the model gives no numbers', () => {
    const broken = new Float32Array(4).fill(Number.NaN);
    expect(() => createSampler({})(broken, 0)).toThrow('NaN');
    expect(() => createSampler({ temperature: 1 })(broken, 0)).toThrow('NaN');
  });
});

it('gives a token its probability before any filter', () => {
  expect(logProbability(Float32Array.of(0, Math.log(2), Math.log(5)), 1)).toBeCloseTo(Math.log(2 / 8), 6);
  expect(logProbability(Float32Array.of(1000, 1000), 0)).toBeCloseTo(-Math.log(2), 6);
});
