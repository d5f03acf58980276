import { describe, expect, it } from 'vitest';
import { shortened, sumsOf } from '../../src/inspect/arithmetic.ts';
import { choosePaint } from '../../src/inspect/paint.ts';
import type { InspectedToken, SeenRow } from '../../src/inspect/row.ts';
import { showRow } from '../../src/inspect/terminal.ts';
import { auditSentence, unmatchedLine } from '../../src/inspect/terminal-audit.ts';
import { columnsOf, fitted, visible, visibleCell } from '../../src/inspect/visible.ts';

const masked = (text: string, reason: 'user' | 'header' | 'image' = 'user'): InspectedToken => ({
  id: 1,
  text,
  position: [0, 0, 0],
  label: false,
  reason,
  loss: null,
});

const label = (text: string, loss: number | null, part: 'answer' | 'end' = 'answer'): InspectedToken => ({
  id: 2,
  text,
  position: [0, 0, 0],
  label: true,
  part,
  loss,
  probability: loss === null ? null : Math.exp(-loss),
  predictedFrom: 0,
  top: loss === null ? [] : [{ id: 3, text: ' no', probability: 0.6 }],
});

const image = { file: 'a.png', width: 644, height: 336, grid: [12, 23] as [number, number], tokens: 2 };

function rowOf(tokens: InspectedToken[], images: SeenRow['images'] = []): SeenRow {
  return { row: 3, images, tokens, ...sumsOf(tokens) };
}

const plain = choosePaint({ isTTY: false }, {});
const coloured = choosePaint({ isTTY: true }, {});
const wide = { paint: plain, columns: Number.POSITIVE_INFINITY };

describe('the arithmetic of a row', () => {
  const tokens = [
    label('Yes', 2.41),
    label('.', 0.03),
    label('<|im_end|>', 0.5, 'end'),
    label('\n', 0.06, 'end'),
  ];

  it('is spelled out, with and without the end tokens', () => {
    const { sum, loss, answer, arithmetic } = sumsOf([masked('Q'), ...tokens]);
    expect(sum).toBeCloseTo(3, 12);
    expect(loss).toBeCloseTo(0.75, 12);
    expect(answer).toEqual({ labelTokens: 2, sum: 2.44, loss: 1.22 });
    expect(arithmetic).toBe('Loss = (2.41 + 0.03 + 0.50 + 0.06) / 4 = 3.0000 / 4 = 0.7500');
    expect(showRow(rowOf(tokens), wide)).toContain('Without the 2 end tokens: 2.4400 / 2 = 1.2200');
  });

  it('leaves out the middle of a long answer', () => {
    const { arithmetic } = sumsOf(Array.from({ length: 40 }, (_, i) => label('x', i)));
    expect(shortened(arithmetic!, 5)).toBe(
      'Loss = (0.00 + 1.00 + 2.00 + ... + 38.00 + 39.00) / 40 = 780.0000 / 40 = 19.5000',
    );
  });

  it('is not made up where losses are not known', () => {
    expect(sumsOf([label('Yes', null)])).toEqual({
      labelTokens: 1,
      loss: null,
      sum: null,
      answer: { labelTokens: 1, sum: null, loss: null },
      arithmetic: null,
    });
  });
});

describe('a row on a terminal', () => {
  it('flows as text, with line breaks seen and made and the image in one cell', () => {
    const tokens = [
      masked('user\n', 'header'),
      masked('<|image_pad|>', 'image'),
      masked('<|image_pad|>', 'image'),
      masked(' Why?\t'),
      label(' Be', 1),
      label('cause\n', 0.1),
    ];
    const shown = showRow(rowOf(tokens, [image]), wide);
    expect(shown).toContain('user⏎\n<image 12x23 = 2 tokens> Why?⇥[ Be][cause⏎]\n');
    expect(shown).toContain('a.png  644x336 pixels, 12x23 = 2 image tokens');
    expect(shown).toMatch(/4 +0 +2 +·Be +0\.3679 +1\.000000 +·no 0\.6000/);
  });

  it('is bright where trained, hotter with the loss, and dim where masked', () => {
    const shown = showRow(rowOf([masked('Q'), label('a', 0.01), label('b', 9)]), {
      paint: coloured,
      columns: 80,
    });
    expect(shown).toContain(
      '\x1b[2mQ\x1b[0m\x1b[1;38;5;16;48;5;194ma\x1b[0m\x1b[1;4;38;5;16;48;5;203mb\x1b[0m',
    );
  });

  it.each([
    ['NO_COLOR', { NO_COLOR: '1' }, true],
    ['a dumb terminal', { TERM: 'dumb' }, true],
    ['a pipe', {}, false],
  ])('has no colour with %s', (_, environment, isTTY) => {
    expect(choosePaint({ isTTY }, environment).trained('a', 1, false)).toBe('[a]');
  });

  it('fits its table to the window', () => {
    const shown = showRow(rowOf([label('a'.repeat(90), 1)]), { paint: plain, columns: 60 });
    const table = shown.split('\n').filter((line) => /^ +\d/.test(line));
    expect(table).toHaveLength(1);
    expect(table[0].length).toBeLessThanOrEqual(60);
  });

  it('lets nothing of the data steer the terminal', () => {
    const hostile = '\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u200b\r\x9b31m';
    const row = { ...rowOf([masked(hostile), label(hostile, 1)]), type: hostile };
    const shown = showRow(row, wide);
    expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(shown).toContain('\\u{1b}]0;owned\\u{7}');
    expect(showRow({ row: 1, refused: 'No \x1b picture.' }, wide)).toBe(
      'Row 1  cannot be used\nNo \\u{1b} picture.\n',
    );
  });
});

describe('texts of tokens', () => {
  it('show their white space where they stand alone', () => {
    expect(visibleCell(' there ')).toBe('·there·');
    expect(visibleCell('')).toBe('(part of a character)');
    expect(visible('a b\n')).toBe('a b⏎');
  });

  it('are measured in columns', () => {
    expect(columnsOf('骨a')).toBe(3);
    expect(columnsOf('e\u0301')).toBe(1);
    expect(fitted('骨骨骨骨', 7)).toBe('骨骨...');
  });
});

describe('another rule in words', () => {
  const none = { tokens: 1, trained: 0, wouldBeTrained: 0, sum: 0, share: 0 };

  it('says who takes the loss', () => {
    const sentence = auditSentence({
      rule: 'all',
      labelTokens: 289,
      loss: 2.5,
      byReason: {
        user: { ...none, share: 0.05 },
        image: { ...none, share: 0.912 },
        answer: { ...none, wouldBeTrained: 1, share: 0.02 },
        end: { ...none, wouldBeTrained: 2, share: 0.018 },
      },
    });
    expect(sentence).toBe(
      'Under "all", 289 tokens are trained; 3 of them are the answer and its end; the image takes 91.2 % of the loss. That loss would be 2.5000.',
    );
  });

  it('names the first token that a collator has otherwise', () => {
    const place = { sequence: 2, nearestRow: 7, position: 14 };
    expect(unmatchedLine({ ...place, ours: { id: 2610, text: 'You' }, theirs: null })).toBe(
      'Sequence 2 is no row as Lorikeet tokenises it. The nearest is row 7; they differ first at token 14: ours 2610 "You", theirs nothing, it has ended.',
    );
  });
});
