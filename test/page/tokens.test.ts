import { describe, expect, it } from 'vitest';
import { compareStrips, detailsOf, type StripToken, shownLoss, tokenStrip } from '../../src/page/tokens.ts';
import { elementsOf } from '../support/markup.ts';

const masked: StripToken = { text: ' Is\n', label: false, loss: null, id: 3872, position: 4, reason: 'user' };
const trained: StripToken = {
  text: 'Yes',
  label: true,
  loss: 2.41,
  id: 9454,
  position: [7, 7, 7],
  probability: 0.0898,
  top: [
    { id: 2753, text: 'No', probability: 0.5 },
    { text: '"<b>', probability: 0.25 },
  ],
};

const cellsOf = (markup: unknown) =>
  elementsOf(String(markup)).filter(({ attributes }) => 'tabindex' in attributes);

describe('a strip', () => {
  it('tells trained tokens by their heat from masked ones, and folds pictures', () => {
    const cells = cellsOf(tokenStrip([masked, { imageTokens: 256, grid: [16, 16] }, trained], 'row 0'));
    // 11 sqrt(2.41 / 8) = 6.04
    expect(cells.map(({ attributes }) => attributes.class)).toEqual(['t', 't image', 't l h6']);
    expect(cells[1].text).toBe('▦ 16 × 16 = 256 image tokens');
    expect(cells[1].attributes.title).toContain('no label: image');
  });

  it('can be entered at one place and holds the details of each token', () => {
    const cells = cellsOf(tokenStrip([masked, trained], 'row 0'));
    expect(cells.map(({ attributes }) => attributes.tabindex)).toEqual(['0', '-1']);
    expect(cells[0].attributes.title).toBe('" Is\\n"   id 3872   position 4\nno label: user');
    expect(cells[1].attributes.title).toBe(
      [
        '"Yes"   id 9454   position (7, 7, 7)',
        'trained: loss 2.41, probability 9 %',
        'the model held likeliest:',
        '     50 %  "No"  2753',
        '     25 %  "\\"<b>"',
      ].join('\n'),
    );
  });

  it('keeps white space to be copied and marks it', () => {
    const markup = String(tokenStrip([{ text: ' a\n\tb', label: true, loss: 0 }], 'row'));
    expect(cellsOf(markup)[0].text).toBe(' a\n\tb');
    const marks = elementsOf(markup).filter(({ name }) => name === 'i');
    expect(marks.map(({ attributes }) => attributes.class)).toEqual(['s', 'n', 'tab']);
  });

  it('shows a token without text, and a label without a loss', () => {
    const [part, label] = cellsOf(
      tokenStrip(
        [
          { text: '', label: false, loss: null },
          { text: 'x', label: true, loss: null },
        ],
        'row',
      ),
    );
    expect(part.attributes.class).toBe('t');
    expect(label.attributes.class).toBe('t l');
    expect(label.attributes.title).toContain('not scored');
  });

  it('says what another rule would make a masked token cost', () => {
    expect(detailsOf({ ...masked, loss: 3 })).toContain('would cost loss 3.00, probability 5 %');
  });

  it('holds hostile texts as texts', () => {
    const text = `"><img src=x onerror="a">&<script>'`;
    const markup = tokenStrip([{ text, label: true, loss: 1, reason: text, notes: [text] }], text);
    expect(new Set(elementsOf(String(markup)).map(({ name }) => name))).toEqual(
      new Set(['div', 'span', 'i']),
    );
    expect(cellsOf(markup)[0].text).toBe(text);
  });
});

describe('two strips', () => {
  it('stand under one another, each loss on its own heat', () => {
    const start = [
      { text: 'Yes', label: true, loss: 8 },
      { text: '.', label: true, loss: 0.5 },
    ];
    const end = [
      { text: 'Yes', label: true, loss: 0.05 },
      { text: '.', label: true, loss: null },
    ];
    const markup = String(compareStrips(start, end, 'row 0'));
    const costs = elementsOf(markup).filter(({ attributes }) => attributes.class?.startsWith('cost'));
    expect(costs.map(({ attributes, text }) => [attributes.class, text])).toEqual([
      ['cost h11', '8.00'],
      ['cost h1', '0.05'],
      ['cost h3', '0.50'],
      ['cost', '–'],
    ]);
    expect(cellsOf(markup)[0].attributes.title).toBe(
      '"Yes"\nat the start: loss 8.00, probability 0.034 %\nat the end:   loss 0.05, probability 95 %',
    );
  });
});

describe('shownLoss', () => {
  it.each([
    [0, '0.00'],
    [0.0004, '< 0.001'],
    [0.0012, '0.001'],
    [0.714, '0.71'],
    [11.93, '11.93'],
    [123.4, '123'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NaN, 'NaN'],
  ])('of %d', (loss, text) => {
    expect(shownLoss(loss)).toBe(text);
  });
});
