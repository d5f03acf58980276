import { describe, expect, it } from 'vitest';
import { learnMerges } from '../../tiny/bpe.ts';

describe('learnMerges', () => {
  it('merges the commonest pair first, ties in code-unit order, and no pair seen once', () => {
    expect(learnMerges(['aab aab', 'xy'], 9)).toEqual([
      ['a', 'a'],
      ['aa', 'b'],
    ]);
    expect(learnMerges(['abcd', 'abcd'], 1)).toEqual([['a', 'b']]);
  });

  it('merges bytes, not characters, and never across words', () => {
    expect(learnMerges(['é', 'é'], 9)).toEqual([['Ã', '©']]);
    expect(learnMerges(['a b', 'a b', 'a b'], 9)).toEqual([['Ġ', 'b']]);
  });
});
