import type { RowScore, TokenScore } from '../../src/train/row-scores.ts';

/** A scored row; each token as kind, loss, hit, top. */
export function rowScore(
  row: number,
  tokens: [TokenScore['kind'], number, boolean, number][],
  more: Partial<RowScore> = {},
): RowScore {
  return {
    step: 10,
    split: 'validation',
    row,
    images: ['a.png'],
    question: 'Is there a polyp?',
    tokens: tokens.map(([kind, loss, hit, top]) => ({
      text: kind === 'end' ? '<|im_end|>' : 'yes',
      kind,
      loss,
      hit,
      top,
    })),
    ...more,
  };
}
