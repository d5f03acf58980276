import { oklch, type ThemeName } from './colors.ts';
import { type Html, html } from './html.ts';

/** Levels of heat, 0 included. */
export const heatLevels = 12;
/** From here on a token is as hot as can be: nats, a probability of 0.03 %. */
export const hottest = 8;

/**
 * The level of a loss in nats: its square root, evenly cut, because most tokens of a trained model cost less than 0.5
 * and those of an untrained one 5 and more, and both must be told apart.
 */
export function heatLevel(loss: number): number {
  if (!(loss > 0)) return loss <= 0 ? 0 : heatLevels - 1;
  return Math.round((heatLevels - 1) * Math.sqrt(Math.min(loss, hottest) / hottest));
}

/** Background and text of a level. Lightness falls (light) or rises (dark) in equal steps, pale yellow to red. */
export function heatColors(theme: ThemeName, level: number): { background: string; text: string } {
  const share = level / (heatLevels - 1);
  const along = (from: number, to: number) => from + (to - from) * share;
  const hue = along(98, 26);
  if (theme === 'light') {
    return { background: oklch(along(0.975, 0.66), along(0.025, 0.17), hue), text: '#16130f' };
  }
  const lightness = along(0.29, 0.72);
  // White and black swap where each has the same contrast.
  const text = lightness < 0.565 ? '#ffffff' : '#000000';
  return { background: oklch(lightness, along(0.02, 0.16), hue), text };
}

/** Rules for the classes `h0` to `h11`, as they are in one theme. */
export function heatRules(theme: ThemeName, scope: string): string {
  return Array.from({ length: heatLevels }, (_, level) => {
    const { background, text } = heatColors(theme, level);
    return `${scope} .h${level}{background:${background};color:${text}}`;
  }).join('\n');
}

const legendLosses = [0, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8];

/** What the heat stands for: nats, and under them the probability that the token was given. */
export function heatLegend(): Html {
  const cells = legendLosses.map((loss) => {
    const more = loss === hottest ? '+' : '';
    return html`<span class="h${heatLevel(loss)}"><b>${loss}${more}</b><i>${shownProbability(Math.exp(-loss))}</i></span>`;
  });
  return html`<div class="legend" role="img" aria-label="Heat scale: loss of a token in nats from 0 to 8, and the probability it stands for, from 100 to 0.03 percent"><span class="legend-names"><b>loss, nats</b><i>probability</i></span>${cells}</div>`;
}

/** A probability as percent with two digits that say something: `37 %`, `1.8 %`, `0.034 %`. */
export function shownProbability(probability: number): string {
  const percent = 100 * probability;
  if (percent >= 99.95) return percent === 100 ? '100 %' : '> 99.9 %';
  if (percent >= 9.95) return `${percent.toFixed(percent > 99 ? 1 : 0)} %`;
  if (percent < 0.001) return percent === 0 ? '0 %' : '< 0.001 %';
  return `${Number(percent.toPrecision(2))} %`;
}
