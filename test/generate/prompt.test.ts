import { describe, expect, it } from 'vitest';
import { tokenKinds } from '../../src/data/example.ts';
import { type Prompt, sharedLength, withoutAnswer } from '../../src/generate/prompt.ts';
import type { Sample } from '../../src/train/step.ts';

const kind = (name: (typeof tokenKinds)[number]) => tokenKinds.indexOf(name);

function sampleOf(...tokens: [id: number, kind: (typeof tokenKinds)[number]][]): Sample {
  return {
    encoded: {
      row: 3,
      ids: Int32Array.from(tokens, ([id]) => id),
      kinds: Uint8Array.from(tokens, ([, name]) => kind(name)),
      grids: [],
      images: [],
    },
    images: [],
  };
}

it('asks a conversation again from where its last answer begins', () => {
  const sample = sampleOf(
    [1, 'user'],
    [2, 'answer'],
    [3, 'end'],
    [4, 'user'],
    [5, 'answer'],
    [6, 'answer'],
    [7, 'end'],
  );
  expect([...withoutAnswer(sample).encoded.ids]).toEqual([1, 2, 3, 4]);
  expect(() => withoutAnswer(sampleOf([1, 'user']))).toThrow('row 3');
});

describe('sharedLength', () => {
  /** Image token 9; a picture of `pixels` stands for tokens [start, end). */
  const prompt = (ids: number[], ...images: [start: number, end: number, pixel: number][]): Prompt => ({
    ids: Int32Array.from(ids),
    images: images.map(([start, end, pixel]) => ({
      start,
      end,
      image: { grid: [1, 2, 2 * (end - start)], content: `pixel ${pixel}` },
    })),
  });

  it('counts equal tokens from the beginning', () => {
    expect(sharedLength(prompt([1, 2, 3]), prompt([1, 2, 4, 3]))).toBe(2);
    expect(sharedLength(prompt([1, 2]), prompt([1, 2, 3]))).toBe(2);
    expect(sharedLength(prompt([]), prompt([1]))).toBe(0);
  });

  it('ends before a picture with other pixels, though its tokens are the same', () => {
    const one = prompt([1, 9, 9, 2, 9, 3], [1, 3, 0.5], [4, 5, 0.25]);
    expect(sharedLength(one, prompt([1, 9, 9, 2, 9, 3], [1, 3, 0.5], [4, 5, 0.25]))).toBe(6);
    expect(sharedLength(one, prompt([1, 9, 9, 2, 9, 3], [1, 3, 0.5], [4, 5, 0.75]))).toBe(4);
    expect(sharedLength(one, prompt([1, 9, 9, 2, 9, 3], [1, 3, 1.5], [4, 5, 0.25]))).toBe(1);
  });

  it('cuts no picture in two', () => {
    expect(sharedLength(prompt([1, 9, 9, 2], [1, 3, 0.5]), prompt([1, 9, 9, 9, 2], [1, 4, 0.5]))).toBe(1);
    expect(sharedLength(prompt([1, 9, 9, 9, 2], [1, 4, 0.5]), prompt([1, 9, 9, 2], [1, 3, 0.5]))).toBe(1);
  });
});
