import { expect, it } from 'vitest';
import { tokenKinds } from '../../src/data/example.ts';
import { greedyAnswer, promptOf } from '../../src/generate/greedy.ts';
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
    patches: [],
  };
}

/** Counts upwards from the last id: the likeliest next token is last + 1. */
const counting = {
  async nextLogits({ encoded }: Sample) {
    const logits = new Float32Array(10).fill(-1);
    logits[encoded.ids[encoded.ids.length - 1] + 1] = 2;
    return logits;
  },
};

it('takes the likeliest token until the end token', async () => {
  const answer = await greedyAnswer(counting, sampleOf([4, 'user']), { endTokenId: 8, maxNewTokens: 20 });
  expect(answer).toEqual([5, 6, 7]);
});

it('cuts an answer that does not end', async () => {
  const answer = await greedyAnswer(counting, sampleOf([1, 'user']), { endTokenId: 0, maxNewTokens: 3 });
  expect(answer).toEqual([2, 3, 4]);
});

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
  expect([...promptOf(sample).encoded.ids]).toEqual([1, 2, 3, 4]);
  expect(() => promptOf(sampleOf([1, 'user']))).toThrow('row 3');
});
