import { describe, expect, it } from 'vitest';
import { oklch, seriesColors, type ThemeName, themes } from '../../src/page/colors.ts';
import { heatColors, heatLegend, heatLevel, heatLevels, shownProbability } from '../../src/page/heat.ts';
import { elementsOf } from '../support/markup.ts';

const names: ThemeName[] = ['light', 'dark'];

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

describe('oklch', () => {
  // The coordinates that CSS Color 4 gives for the primaries of sRGB.
  it.each([
    ['#ff0000', 0.62796, 0.25768, 29.234],
    ['#00ff00', 0.86644, 0.29483, 142.495],
    ['#0000ff', 0.45201, 0.31321, 264.052],
    ['#ffffff', 1, 0, 0],
    ['#000000', 0, 0, 0],
  ])('gives %s', (hex, lightness, chroma, hue) => {
    expect(oklch(lightness, chroma, hue)).toBe(hex);
  });
});

describe.each(names)('the %s theme', (theme) => {
  it('has text that can be read on paper and card, and lines that can be seen', () => {
    const { paper, card, ink, quiet, accent, warning } = themes[theme];
    for (const back of [paper, card]) {
      for (const text of [ink, quiet, accent, warning]) {
        expect(contrast(text, back)).toBeGreaterThanOrEqual(4.5);
      }
      for (const line of seriesColors[theme]) expect(contrast(line, back)).toBeGreaterThanOrEqual(3);
    }
  });

  it('has heat in even steps, away from the paper, with text that can be read on each', () => {
    const levels = Array.from({ length: heatLevels }, (_, level) => heatColors(theme, level));
    for (const { background, text } of levels) expect(contrast(background, text)).toBeGreaterThanOrEqual(4.5);
    // CIE L*, 0 to 100: another measure of lightness than the one that the scale is made in.
    const lightness = levels.map(({ background }) => 116 * Math.cbrt(luminance(background)) - 16);
    const steps = lightness.slice(1).map((value, at) => value - lightness[at]);
    const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
    expect(Math.sign(mean)).toBe(theme === 'light' ? -1 : 1);
    expect(Math.abs(mean)).toBeGreaterThan(2);
    for (const step of steps) expect(Math.abs(step / mean - 1)).toBeLessThan(0.5);
  });
});

describe('heatLevel', () => {
  // 11 sqrt(loss / 8), rounded.
  it.each([
    [0, 0],
    [-0, 0],
    [0.001, 0],
    [0.05, 1],
    [0.5, 3],
    [2, 6],
    [7.9, 11],
    [8, 11],
    [1e9, 11],
    [Number.POSITIVE_INFINITY, 11],
    [Number.NaN, 11],
    [-1e-9, 0],
  ])('of %d is %d', (loss, level) => {
    expect(heatLevel(loss)).toBe(level);
  });

  it('never falls with the loss', () => {
    for (let loss = 0; loss < 9; loss += 0.01)
      expect(heatLevel(loss + 0.01)).toBeGreaterThanOrEqual(heatLevel(loss));
  });
});

describe('the legend', () => {
  it('stands a probability under each loss and colours it as a token of that loss', () => {
    const cells = elementsOf(String(heatLegend())).filter(({ name }) => name === 'span');
    const found = cells.slice(1).map(({ attributes, text }) => [attributes.class, text]);
    // exp(-0.5) = 0.6065, exp(-2) = 0.1353, exp(-8) = 0.000335
    expect(found).toContainEqual(['h3', '0.561 %']);
    expect(found).toContainEqual(['h6', '214 %']);
    expect(found).toContainEqual(['h11', '8+0.034 %']);
  });
});

describe('shownProbability', () => {
  it.each([
    [1, '100 %'],
    [0.9999, '> 99.9 %'],
    [0.994, '99.4 %'],
    [0.37, '37 %'],
    [0.0995, '10 %'],
    [0.0183, '1.8 %'],
    [0.000335, '0.034 %'],
    [1e-9, '< 0.001 %'],
    [0, '0 %'],
  ])('of %d', (probability, text) => {
    expect(shownProbability(probability)).toBe(text);
  });
});
