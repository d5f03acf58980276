/** docs/loss.svg: its numbers are those of docs/loss.md, and its curve and bars are drawn where they belong. */
import { describe, expect, it } from 'vitest';
import {
  arithmetic,
  count,
  labels,
  losses,
  lossOf,
  probabilities,
  quotient,
  read,
  row,
  sentence,
  shown,
  two,
} from './loss-example.ts';
import { looseNumbers, missingClaims, said } from './numbers.ts';

describe('docs/loss.svg', () => {
  const svg = read('docs/loss.svg');
  const texts = [...svg.matchAll(/<text class="(.+?)"(.*?)>(.+?)<\/text>/g)].map(([, kind, at, text]) => ({
    kind,
    x: Number(/ x="(.+?)"/.exec(at)![1]),
    y: Number(/ y="(.+?)"/.exec(at)![1]),
    text: text.replaceAll('&lt;', '<').replaceAll('&gt;', '>'),
  }));
  const ofKind = (kind: string) => texts.filter((text) => text.kind === kind);
  const shapes = (kind: string) =>
    [...svg.matchAll(new RegExp(`<(?:rect|circle|path) class="${kind}" (.+?)/>`, 'g'))].map(
      ([, attributes]) =>
        Object.fromEntries(
          [...attributes.matchAll(/(\w+)="(.*?)"/g)].map(([, name, value]) => [name, value]),
        ),
    );
  const ticks = [0, 1, 2, 3, 4];
  const sides = [0, 0.5, 1];

  it('writes no number that nobody computed', () => {
    const marks = [0.01, 0.1, 0.5, 0.9].map((p) => said`${p} costs ${two(lossOf(p))}`);
    const expected = [
      said`the picture: ${count(sentence, 'image')} image tokens`,
      ...marks,
      said`mean ${two(row.loss)}`,
      arithmetic,
      said`= ${quotient}`,
      ...losses.map((loss) => said`\n${two(loss)}\n`),
      ...probabilities.map((p) => said`\n${p}\n`),
      ...[...ticks, ...sides].map((tick) => said`\n${tick}\n`),
    ];
    const text = `\n${texts.map((one) => one.text).join('\n\n')}\n`;
    expect(missingClaims(text, expected)).toEqual([]);
    expect(looseNumbers(text, expected, [])).toEqual([]);
    expect(ofKind('num').map((one) => one.text)).toEqual(losses.map(two));
    expect(ofKind('token').map((one) => one.text.replaceAll('|', '\\|'))).toEqual(
      labels.map((t) => shown(sentence.texts[t])),
    );
  });

  // Where loss 0 and each further nat, p = 0 and p = 1 stand, from the labels of the axes.
  const levels = ofKind('tick right').map(({ y }) => y - 4);
  const loss = (y: number) => (levels[0] - y) / (levels[0] - levels[1]);
  const [left, , right] = ofKind('tick')
    .filter(({ text }) => sides.map(String).includes(text))
    .map(({ x }) => x);
  const p = (x: number) => (x - left) / (right - left);
  const tenthOfPixel = 0.1 / (levels[0] - levels[1]);

  it('draws every bar as high as its loss, and the mean where it is', () => {
    levels.forEach((y, n) => {
      expect(loss(y)).toBeCloseTo(ticks[n], 10);
    });
    const bars = shapes('bar');
    expect(bars).toHaveLength(losses.length);
    bars.forEach(({ y, height }, n) => {
      expect(Number(y) + Number(height)).toBeCloseTo(levels[0], 5);
      expect(Math.abs(loss(Number(y)) - losses[n])).toBeLessThan(tenthOfPixel);
    });
    const [, y] = /^M\S+ (\S+)H/.exec(shapes('mean')[0].d)!;
    expect(Math.abs(loss(Number(y)) - row.loss)).toBeLessThan(tenthOfPixel);
  });

  it('draws the curve and the dots on it', () => {
    const dots = [...shapes('dot'), ...shapes('lit')].map(({ cx, cy }) => [Number(cx), Number(cy)]);
    expect(dots.map(([x]) => two(p(x)))).toEqual(['0.90', '0.50', '0.10', '0.01', '0.02']);
    const points = shapes('curve')[0]
      .d.match(/[\d.]+/g)!
      .map(Number);
    const curve = points.flatMap((x, n) => (n % 2 === 0 ? [[x, points[n + 1]]] : []));
    expect(curve.length).toBeGreaterThan(30);
    for (const [x, y] of [...curve, ...dots]) {
      const across = Math.abs(Math.exp(-loss(y)) - p(x)) * (right - left);
      const along = Math.abs(lossOf(Math.min(p(x), 1 - 1e-12)) - loss(y)) / tenthOfPixel / 10;
      expect(Math.min(across, along)).toBeLessThan(0.1);
    }
  });
});
