import { describe, expect, it } from 'vitest';
import type { DataCheck, SplitCheck } from '../../src/check/data-check.ts';
import { describeCheck } from '../../src/check/describe.ts';
import { trainCheck } from './split-check.ts';

const train = trainCheck;
const validation: SplitCheck = { ...trainCheck, split: 'validation', rows: 451 };
const none = { pictures: 0, rows: 0, pairs: [] };

const linesOf = (check: Partial<DataCheck>) => {
  const lines = describeCheck({ splits: [train], warnings: [], ...check });
  return new Map(lines.map((line) => [line.slice(0, 11).trim(), line.slice(12)]));
};

describe('what a check found, in lines', () => {
  it('are about a dozen, each with its name', () => {
    const chance = { uniform: 11.93, answers: 1.5, unseen: 0.104 };
    const lines = describeCheck({
      splits: [train, validation],
      shared: { same: none, near: none },
      chance,
      warnings: ['Mind this.'],
    });
    expect(lines).toEqual([
      'Rows        3,064 to train on, 451 to validate on',
      'Tokens      100,000 in training, 4,000 of them trained on (4.0 %): 1,000 of answers, 3,000 that end them',
      'Masked      90,000 of pictures, 2,000 of questions, 3,000 of headers, 1,000 of system text',
      'Longest     320 tokens in row 7, 300 in row 2; in validation 320 in row 7',
      'Pictures    315 different in 3,064 places: 200 of 512 x 512 (324 tokens), 100 of 64 x 48 (1 token), 15 of other sizes; 2 almost all white (page.png)',
      'Held out    315 pictures in validation; 2 almost all white (page.png); none of them, nor one that looks the same, stands in training',
      'Questions   9.7 on a picture on average, 1 to 22, median 9.5',
      'Answers     476 different; the commonest: "no" 884, "a \\"b\\"" 1',
      'Guessing    costs 11.93 nats a token with every word alike, 1.50 with the training answers in mind and no picture; 10.4 % of the validation answers are new',
      'Note        Mind this.',
    ]);
  });

  it('name the reasons of rows that are refused, the commonest first', () => {
    const rows = Array.from({ length: 9 }, (_, i) => i);
    const reasons = [
      { reason: 'an answer expected', count: 9, rows },
      ...['b', 'c', 'd'].map((reason) => ({ reason, count: 1, rows: [20] })),
    ];
    const lines = linesOf({ splits: [{ ...train, refused: { count: 12, reasons } }] });
    expect(lines.get('Refused')).toBe(
      '12 training rows: an answer expected (9 rows: 0, 1, 2, 3, 4, ...); b (1 row: 20); c (1 row: 20); 1 other reason',
    );
  });

  it('leave out what the data does not have', () => {
    const images = {
      ...train.images,
      distinct: 0,
      uses: 0,
      sizes: [],
      saturated: { count: 0, sixteenBit: 0, files: [] },
    };
    const lines = linesOf({ splits: [{ ...train, images }] });
    expect([...lines.keys()]).toEqual(['Rows', 'Tokens', 'Masked', 'Longest', 'Pictures', 'Answers']);
    expect(lines.get('Rows')).toBe('3,064 to train on, none to validate on');
    expect(lines.get('Pictures')).toBe('none in training');
    const even = { least: 4, median: 4, most: 4, mean: 4 };
    expect(linesOf({ splits: [{ ...train, questionsPerImage: even }] }).get('Questions')).toBe(
      '4 on every picture',
    );
    const groups = [
      { ...train, groups: 12 },
      { ...validation, groups: 3 },
    ];
    expect(linesOf({ splits: groups }).get('Groups')).toBe('12 in training, 3 in validation');
    const apart = { same: none, near: none, groups: { count: 0, rows: 0, names: [] } };
    expect(linesOf({ splits: groups, shared: apart }).get('Groups')).toBe(
      '12 in training, 3 in validation, none in both',
    );
  });

  it('say that pictures stand apart only where they do', () => {
    const same = { pictures: 1, rows: 1, pairs: [] };
    const lines = linesOf({ splits: [train, validation], shared: { same, near: none } });
    expect(lines.get('Held out')).not.toContain('stands in training');
  });

  it('hold no character that steers a terminal', () => {
    const evil = '\x1b[2J\u009b31m\n';
    const images = { ...train.images, saturated: { count: 1, sixteenBit: 0, files: [evil] } };
    const answers = { distinct: 1, commonest: [{ text: evil, count: 1 }] };
    const refused = { count: 1, reasons: [{ reason: evil, count: 1, rows: [0] }] };
    const lines = describeCheck({ splits: [{ ...train, images, answers, refused }], warnings: [evil] });
    expect(lines.join('')).not.toMatch(/\p{Cc}/u);
  });
});
