import type { SplitCheck } from '../../src/check/data-check.ts';

/** What a check might say of training rows. */
export const trainCheck: SplitCheck = {
  split: 'train',
  rows: 3064,
  refused: { count: 0, reasons: [] },
  tokens: { system: 1000, user: 2000, header: 3000, image: 90_000, padding: 0, answer: 1000, end: 3000 },
  labelShare: 0.04,
  longest: [
    { row: 7, tokens: 320 },
    { row: 2, tokens: 300 },
  ],
  images: {
    distinct: 315,
    uses: 3064,
    sizes: [
      { width: 512, height: 512, tokens: 324, images: 200 },
      { width: 64, height: 48, tokens: 1, images: 100 },
    ],
    saturated: { count: 3, sixteenBit: 1, files: ['xray.png', 'page.png', 'page2.png'] },
  },
  questionsPerImage: { least: 1, median: 9.5, most: 22, mean: 9.727 },
  answers: {
    distinct: 476,
    commonest: [
      { text: 'no', count: 884 },
      { text: 'a "b"', count: 1 },
    ],
  },
};
