import { describe, expect, it } from 'vitest';
import { AnswerTally } from '../../src/check/answers.ts';
import { PictureTally } from '../../src/check/images.ts';
import { GroupTally, sharedPictures } from '../../src/check/overlap.ts';
import type { Picture } from '../../src/check/pictures.ts';
import { groupRefused } from '../../src/check/refused.ts';
import type { GoodRow } from '../../src/check/rows.ts';
import { TokenTally } from '../../src/check/tokens.ts';
import type { Turn } from '../../src/data/example.ts';
import { encodedRow } from '../train/bigram.ts';

const said = (role: Turn['role'], text: string): Turn => ({ role, content: [{ type: 'text', text }] });

let made = 0;
/** A picture that looks like no other, unless it is made after one. */
const pictureOf = (like?: Picture, changes: Partial<Picture> = {}): Picture => {
  const bits = Math.imul(++made, 0x9e3779b1) >>> 0;
  return {
    content: `picture ${made}`,
    width: 28,
    height: 28,
    grid: [1, 2, 2],
    tokens: 1,
    look: like?.look ?? {
      bits: [bits, ~bits >>> 0],
      copy: new Uint8Array(768).map((_, i) => (i * made * 31) % 251),
    },
    isSaturated: false,
    isSixteenBitGrey: false,
    ...changes,
  };
};

interface Words {
  answers?: string[];
  pictures?: [Picture, path: string][];
  kinds?: string;
  group?: string;
}

function row(n: number, { answers = ['yes'], pictures = [], kinds = 'uae', group }: Words): GoodRow {
  const turns = answers.flatMap((answer) => [said('user', 'q'), said('assistant', answer)]);
  const encoded = encodedRow(n, [...kinds].map(Number), kinds);
  return {
    row: n,
    example: { row: n, turns, ...(group !== undefined && { group }) },
    encoded: { ...encoded, images: pictures.map(([, path]) => ({ path })) },
    pictures: pictures.map(([picture]) => picture),
  };
}

function counted<T extends { add(row: GoodRow): void }>(tally: T, rows: Words[]): T {
  for (const [n, words] of rows.entries()) tally.add(row(n, words));
  return tally;
}

describe('tokens', () => {
  it('are counted by kind, with the share of labels and the five longest rows', () => {
    const tally = counted(new TokenTally(), [
      { kinds: 'huae' },
      { kinds: 'huuuaae' },
      ...Array.from({ length: 5 }, () => ({ kinds: 'uuae' })),
    ]);
    const { tokens, labelShare, longest } = tally.result();
    expect(tokens).toEqual({ system: 0, user: 14, header: 2, image: 0, padding: 0, answer: 8, end: 7 });
    expect(labelShare).toBeCloseTo(15 / 31, 12);
    expect(longest.map(({ row, tokens }) => [row, tokens])).toEqual([
      [1, 7],
      [0, 4],
      [2, 4],
      [3, 4],
      [4, 4],
    ]);
  });
});

describe('answers', () => {
  it('are the same whatever their case and the space around them', () => {
    const tally = counted(new AnswerTally(), [
      { answers: ['Yes', ' yes\n'] },
      { answers: ['no'] },
      { answers: ['YES', 'no '] },
      { answers: ['__proto__', 'constructor'] },
    ]);
    expect(tally.result()).toEqual({
      distinct: 4,
      commonest: [
        { text: 'yes', count: 3 },
        { text: 'no', count: 2 },
        { text: '__proto__', count: 1 },
        { text: 'constructor', count: 1 },
      ],
    });
  });

  it('are told apart past what is shown of them', () => {
    const long = 'x'.repeat(100);
    const tally = counted(new AnswerTally(), [{ answers: [`${long}a`, `${long}b`, `${long}b`] }]);
    const { distinct, commonest } = tally.result();
    expect(distinct).toBe(2);
    expect(commonest[0]).toEqual({ text: `${'x'.repeat(80)}...`, count: 2 });
  });

  it('are unseen where the other data never gives them', () => {
    const train = counted(new AnswerTally(), [{ answers: ['Yes', 'no'] }]);
    const validation = counted(new AnswerTally(), [{ answers: ['yes', 'yes', 'maybe', 'two'] }]);
    expect(validation.unseenIn(train)).toBe(0.5);
    expect(new AnswerTally().unseenIn(train)).toBe(0);
  });
});

describe('pictures', () => {
  const [a, b, c] = [pictureOf(), pictureOf(), pictureOf(undefined, { width: 56, tokens: 2 })];

  it('are counted by content, with their sizes and the questions about each', () => {
    const { images, questionsPerImage } = counted(new PictureTally('/data'), [
      { pictures: [[a, '/data/a.png']], answers: ['x'] },
      { pictures: [[a, '/data/copy.png']], answers: ['x', 'y', 'z'] },
      {
        pictures: [
          [a, '/data/a.png'],
          [b, '/data/sub/b.png'],
          [b, '/data/sub/b.png'],
        ],
        answers: ['x'],
      },
      { pictures: [[c, '/data/c.png']], answers: ['x', 'y'] },
      { answers: ['x'] },
    ]).result();
    expect(images).toMatchObject({ distinct: 3, uses: 6, saturated: { count: 0, sixteenBit: 0, files: [] } });
    expect(images.sizes).toEqual([
      { width: 28, height: 28, tokens: 1, images: 2 },
      { width: 56, height: 28, tokens: 2, images: 1 },
    ]);
    expect(questionsPerImage).toEqual({ least: 1, median: 2, most: 5, mean: 8 / 3 });
  });

  it('that are saturated are named, those in 16 bits first', () => {
    const white = pictureOf(undefined, { isSaturated: true });
    const xray = pictureOf(undefined, { isSaturated: true, isSixteenBitGrey: true });
    const { images } = counted(new PictureTally('/data/pictures'), [
      {
        pictures: [
          [white, '/data/white.png'],
          [xray, '/data/pictures/xray.png'],
          [a, '/data/a.png'],
        ],
      },
    ]).result();
    expect(images.saturated).toEqual({ count: 2, sixteenBit: 1, files: ['xray.png', '/data/white.png'] });
  });

  it('are none where no row shows one', () => {
    const { images, questionsPerImage } = counted(new PictureTally('/data'), [{}]).result();
    expect(images).toMatchObject({ distinct: 0, uses: 0, sizes: [] });
    expect(questionsPerImage).toEqual({ least: 0, median: 0, most: 0, mean: 0 });
  });

  it('of validation are held against those of training', () => {
    const near = pictureOf(b);
    const other = pictureOf();
    const train = counted(new PictureTally('/train'), [
      {
        pictures: [
          [a, '/train/a.png'],
          [b, '/train/b.png'],
        ],
      },
      { pictures: [[c, '/train/c.png']] },
    ]);
    const validation = counted(new PictureTally('/val'), [
      { pictures: [[a, '/val/1.png']] },
      {
        pictures: [
          [a, '/val/1.png'],
          [near, '/val/2.png'],
        ],
      },
      { pictures: [[near, '/val/2.png']] },
      { pictures: [[other, '/val/3.png']] },
    ]);
    expect(sharedPictures(train.uses, validation.uses)).toEqual({
      same: { pictures: 1, rows: 2, pairs: [{ validation: '1.png', train: 'a.png' }] },
      near: { pictures: 1, rows: 2, pairs: [{ validation: '2.png', train: 'b.png' }] },
    });
  });
});

describe('groups', () => {
  it('are held against each other where both sides have them', () => {
    const tally = (groups: (string | undefined)[]) =>
      counted(
        new GroupTally(),
        groups.map((group) => ({ group })),
      );
    const train = tally(['p1', 'p1', 'p2', undefined]);
    expect(train.distinct).toBe(2);
    expect(tally([undefined]).distinct).toBeUndefined();
    expect(tally(['p2', 'p3', 'p2']).sharedWith(train)).toEqual({ count: 1, rows: 2, names: ['p2'] });
    expect(tally(['p4']).sharedWith(train)).toEqual({ count: 0, rows: 0, names: [] });
    expect(tally([undefined]).sharedWith(train)).toBeUndefined();
  });
});

describe('rows that are refused', () => {
  it('are grouped by what is wrong with them, without what differs', () => {
    const missing = (name: string) => `image "${name}" expected at /data/${name}, got no such file`;
    const refused = [
      { row: 0, what: missing('a.png') },
      { row: 3, what: 'an answer expected, got none' },
      { row: 4, what: missing('b"c.png'.replace('"', '\\"')) },
      { row: 5, what: '/data/x.jpg: expected a whole picture' },
      { row: 9, what: missing('c.png') },
    ];
    expect(groupRefused(refused)).toEqual({
      count: 5,
      reasons: [
        { reason: 'image "..." expected at ..., got no such file', count: 3, rows: [0, 4, 9] },
        { reason: 'an answer expected, got none', count: 1, rows: [3] },
        { reason: '/data/x.jpg: expected a whole picture', count: 1, rows: [5] },
      ],
    });
    expect(groupRefused([])).toEqual({ count: 0, reasons: [] });
  });
});
