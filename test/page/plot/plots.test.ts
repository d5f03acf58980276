import { describe, expect, it } from 'vitest';
import { dotPlot } from '../../../src/page/plot/dot-plot.ts';
import { inlinePlot, plotRules } from '../../../src/page/plot/frame.ts';
import { type LinePlot, linePlot } from '../../../src/page/plot/line-plot.ts';
import { reliabilityPlot } from '../../../src/page/plot/reliability-plot.ts';
import type { Point } from '../../../src/page/plot/thin.ts';
import { elementsOf } from '../../support/markup.ts';

const nasty = `"><script>x</script></style></svg>&'\0\x1b`;
const shownNasty = `"><script>x</script></style></svg>&'\ufffd\ufffd`;

const falling: Point[] = Array.from({ length: 11 }, (_, at): Point => [at * 10, 3 - at * 0.25]);
const plot = (changes: Partial<LinePlot> = {}) =>
  linePlot({
    title: 'Loss',
    description: 'Of a run.',
    x: { label: 'step' },
    y: { label: 'nats', from: 0 },
    series: [{ name: 'training', points: falling }],
    ...changes,
  });

const textsOf = (svg: string) =>
  elementsOf(svg)
    .filter(({ name }) => name === 'text')
    .map(({ text }) => text);
const named = (svg: string, look: string) =>
  elementsOf(svg).filter(({ attributes }) => attributes.class?.split(' ').includes(look));

/** x and y of a path's points. */
function coordinates(path: string): number[][] {
  return [...path.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
}

describe('a line plot', () => {
  it('stands alone: size, words for those who cannot see it, light and dark', () => {
    const svg = plot();
    const [root, title, desc, style] = elementsOf(svg);
    expect(root.attributes).toMatchObject({ xmlns: 'http://www.w3.org/2000/svg', role: 'img', width: '960' });
    expect(root.attributes['aria-label']).toBe('Loss. Of a run.');
    expect([title.text, desc.text]).toEqual(['Loss', 'Of a run.']);
    expect(style.text).toContain(plotRules('light'));
    expect(style.text).toContain('@media (prefers-color-scheme:dark)');
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(|xlink|@import/);
  });

  it('draws points where their values are', () => {
    const svg = plot();
    const points = coordinates(named(svg, 'line')[0].attributes.d);
    expect(points).toHaveLength(11);
    const xs = points.map(([x]) => x);
    const ys = points.map(([, y]) => y);
    // Both are linear: equal steps, to a tenth of a pixel; y falls with the value, so grows on the screen.
    const dx = (xs[10] - xs[0]) / 10;
    const dy = (ys[10] - ys[0]) / 10;
    expect(dx).toBeGreaterThan(30);
    expect(dy).toBeGreaterThan(5);
    xs.forEach((x, at) => {
      expect(x).toBeCloseTo(xs[0] + at * dx, 0);
      expect(ys[at]).toBeCloseTo(ys[0] + at * dy, 0);
    });
    // The axis begins at 0: the line for it is the lowest.
    const grid = named(svg, 'grid').map(({ attributes }) => Number(attributes.y1));
    const zero = Math.max(...grid);
    expect((zero - ys[0]) / (zero - ys[10])).toBeCloseTo(3 / 0.5, 1);
  });

  it('names each line beside its end, with its last value', () => {
    const svg = plot({
      series: [
        { name: 'training', points: falling },
        { name: 'validation', points: falling.map(([x, y]): Point => [x, y + 0.01]) },
        { name: 'nothing', points: [] },
      ],
    });
    expect(textsOf(svg)).toContain('training 0.500');
    expect(textsOf(svg)).toContain('validation 0.510');
    expect(textsOf(svg).join()).not.toContain('nothing');
  });

  it('draws a value to compare with, and points to one that is far above', () => {
    const svg = plot({
      lines: [
        { y: 2, label: 'near' },
        { y: 11.93, label: 'ln V' },
      ],
    });
    expect(textsOf(svg)).toContain('near 2');
    expect(textsOf(svg)).toContain('↑ ln V 11.9');
    expect(named(svg, 'dashed')).toHaveLength(1);
  });

  it('shows the parts of a legend that its values reach', () => {
    const zones = [
      { from: 3.5, to: Number.POSITIVE_INFINITY, label: 'above 3.5' },
      { from: 1, to: 3.5, label: '1 to 3.5' },
      { from: 0, to: 1, label: 'below 1' },
    ];
    const texts = textsOf(plot({ zones }));
    expect(texts).toContain('1 to 3.5');
    expect(texts).toContain('below 1');
    expect(texts).not.toContain('above 3.5');
  });

  it('keeps every point of a noisy line under its running mean, and says how it was smoothed', () => {
    const points = Array.from(
      { length: 10_000 },
      (_, at): Point => [at + 1, at === 5000 ? 50 : 1 + (at % 7) / 10],
    );
    const svg = plot({ series: [{ name: 'training', points, smooth: true }] });
    const raw = coordinates(named(svg, 'raw')[0].attributes.d);
    const top = Math.min(...raw.map(([, y]) => y));
    const grid = named(svg, 'grid').map(({ attributes }) => Number(attributes.y1));
    // The axis ends at 50: the spike reaches its highest line.
    expect(top).toBeCloseTo(Math.min(...grid), 0);
    expect(textsOf(svg).join(' ')).toContain('the thick one is the mean of the 201 points around each');
    expect(svg.length).toBeLessThan(120_000);
  });

  it('leaves out what a logarithmic axis cannot hold, and gaps', () => {
    const points: Point[] = [
      [0, 1],
      [1, 0],
      [2, -1],
      [3, Number.NaN],
      [4, 100],
      [5, 10],
    ];
    const svg = plot({ y: { label: 'norm', log: true }, series: [{ name: 'norm', points }] });
    expect(coordinates(named(svg, 'line')[0].attributes.d.replace(/Z/g, ''))).toHaveLength(3);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['1', '10', '100', 'norm 10.0']));
    expect(svg).not.toContain('NaN');
    expect(svg).not.toContain('Infinity');
  });

  it.each<[string, Partial<LinePlot>]>([
    ['no series', { series: [] }],
    ['one point', { series: [{ name: 'a', points: [[3, 2]] }] }],
    [
      'one value',
      {
        series: [
          {
            name: 'a',
            points: [
              [1, 0],
              [2, 0],
            ],
          },
        ],
        y: { label: 'y' },
      },
    ],
    ['no finite value', { series: [{ name: 'a', points: [[1, Number.NaN]] }] }],
    [
      'huge values',
      {
        series: [
          {
            name: 'a',
            points: [
              [1, 1e308],
              [2, -1e308],
              [3, 5e-324],
            ],
          },
        ],
        y: { label: 'y' },
      },
    ],
    [
      'a flat strip',
      {
        strip: {
          label: 'rate',
          points: [
            [1, 0],
            [2, 0],
          ],
        },
      },
    ],
  ])('comes with %s', (_, changes) => {
    const svg = plot(changes);
    expect(elementsOf(svg)[0].name).toBe('svg');
    expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
  });

  it('holds hostile names as text', () => {
    const svg = plot({
      title: nasty,
      description: nasty,
      series: [{ name: nasty, points: falling }],
      moments: [{ x: 5, label: nasty }],
    });
    const elements = elementsOf(svg);
    expect(elements.filter(({ name }) => name === 'script')).toEqual([]);
    expect(elements.find(({ name }) => name === 'title')!.text).toBe(shownNasty);
  });

  it('leaves its styles at home where a page takes it in', () => {
    const inline = String(inlinePlot(plot()));
    expect(elementsOf(inline).map(({ name }) => name)).not.toContain('style');
    expect(elementsOf(inline).length).toBe(elementsOf(plot()).length - 1);
  });
});

describe('a dot plot', () => {
  it('has a row for each name, a dot for each value, and leaves out what is not known', () => {
    const svg = dotPlot({
      title: 'Loss by type',
      x: { label: 'nats', from: 0 },
      names: ['answers', 'all'],
      rows: [
        { label: nasty, note: '40 rows', values: [0.4, 0.2] },
        { label: 'count', values: [null, 0.8] },
      ],
    });
    const dots = elementsOf(svg).filter(
      ({ name, attributes }) => name === 'circle' && attributes.cy !== undefined,
    );
    expect(dots).toHaveLength(2 + 3);
    const [first, second, third] = dots.slice(2).map(({ attributes }) => Number(attributes.cx));
    // 0.2 : 0.4 : 0.8 from the same zero
    expect((third - first) / (first - second)).toBeCloseTo(2, 1);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['count', '40 rows', '0.40', '0.80']));
  });
});

describe('a reliability diagram', () => {
  it('puts each bin at its probability and its share of hits, empty ones nowhere', () => {
    const bins = [
      { from: 0, to: 0.1, tokens: 0, confidence: 0, accuracy: 0 },
      { from: 0.4, to: 0.5, tokens: 10, confidence: 0.5, accuracy: 0.25 },
      { from: 0.9, to: 1, tokens: 1234, confidence: 1, accuracy: 1 },
    ];
    const svg = reliabilityPlot({ title: 'Calibration', bins });
    const [low, high] = elementsOf(svg)
      .filter(({ name }) => name === 'circle')
      .map(({ attributes }) => [Number(attributes.cx), Number(attributes.cy)]);
    // The square is 320 pixels wide: half of it across, three quarters of it up.
    expect(high[0] - low[0]).toBeCloseTo(160, 5);
    expect(low[1] - high[1]).toBeCloseTo(240, 5);
    expect(textsOf(svg).join()).toContain('most 1,234');
  });
});
