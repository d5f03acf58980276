/** The colours of pages and plots, light and dark, and the scale that shows what a token cost. */

export interface Theme {
  paper: string;
  /** Boxes on the paper. */
  card: string;
  ink: string;
  /** Second-rank text; 4.5:1 against paper and card. */
  quiet: string;
  /** Lines that separate. */
  rule: string;
  accent: string;
  warning: string;
}

export type ThemeName = 'light' | 'dark';

export const themes: Record<ThemeName, Theme> = {
  light: {
    paper: '#fbfaf7',
    card: '#ffffff',
    ink: '#1c1d1f',
    quiet: '#63656b',
    rule: '#e3e1db',
    accent: '#0b6b7a',
    warning: '#9a4a00',
  },
  dark: {
    paper: '#16181b',
    card: '#1e2125',
    ink: '#ecebe7',
    quiet: '#a0a3a9',
    rule: '#33373d',
    accent: '#62c8d6',
    warning: '#f0a860',
  },
};

/** Lines of a plot, told apart without red against green: blue-green, orange, violet, grey (after Okabe and Ito 2008). */
export const seriesColors: Record<ThemeName, string[]> = {
  light: ['#0b6b7a', '#c2590c', '#7b4fa3', '#63656b'],
  dark: ['#62c8d6', '#f59b52', '#bb98e0', '#a0a3a9'],
};

/**
 * sRGB of a colour in OKLCH (Ottosson 2020): lightness 0 to 1, chroma, hue in degrees. Equal steps of its lightness
 * look equal, to colour-blind eyes as well. Values outside sRGB are clipped.
 */
export function oklch(lightness: number, chroma: number, hue: number): string {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return `#${linear.map((value) => channel(value).toString(16).padStart(2, '0')).join('')}`;
}

function channel(linear: number): number {
  const clipped = Math.min(1, Math.max(0, linear));
  const encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(255 * encoded);
}
