import { scaleLinear } from 'd3-scale';
import { type Html, html } from '../html.ts';
import { type Area, type Axis, round, type Scale, xAxis, xAxisHeight, yAxis } from './axes.ts';
import { type Caption, captionHeight, margin, plotFrame } from './frame.ts';

export interface ReliabilityPlot extends Caption {
  bins: readonly { from: number; to: number; tokens: number; confidence: number; accuracy: number }[];
  width?: number;
}

const side = 320;
const countsHeight = 60;

/** Shares of hits against the probability of the likeliest token, and below how many tokens stand behind each bin. */
export function reliabilityPlot(plot: ReliabilityPlot): string {
  const { width = 560 } = plot;
  const top = captionHeight(plot, width) + 36;
  const left = margin + 50;
  const area: Area = { left, right: left + side, top, bottom: top + side };
  const counts: Area = { ...area, top: area.bottom + 34, bottom: area.bottom + 34 + countsHeight };
  const x = scaleLinear().domain([0, 1]).range([area.left, area.right]);
  const y = scaleLinear().domain([0, 1]).range([area.bottom, area.top]);
  const bins = plot.bins.filter(({ tokens }) => tokens > 0);
  const shares: Axis = { label: 'share of tokens that were the likeliest', percent: true };
  const confidence: Axis = { label: 'probability of the likeliest token', percent: true };
  const body = html`${yAxis(shares, y, area)}
<line class="axis dashed" x1="${area.left}" y1="${area.bottom}" x2="${area.right}" y2="${area.top}"/>
<line class="axis" x1="${area.left}" x2="${area.right}" y1="${area.bottom}" y2="${area.bottom}"/>
${bins.map((bin) => gapLine(bin, x, y))}
<path class="line s0" d="${bins.map(({ confidence, accuracy }, at) => `${at === 0 ? 'M' : 'L'}${round(x(confidence))},${round(y(accuracy))}`).join('')}"/>
${bins.map(({ confidence, accuracy }) => html`<circle class="f0" cx="${round(x(confidence))}" cy="${round(y(accuracy))}" r="4"/>`)}
${hints(area)}
${countBars(bins, x, counts)}
${xAxis(confidence, x, counts)}`;
  return plotFrame(plot, width, counts.bottom + xAxisHeight + 12, body);
}

type Bin = ReliabilityPlot['bins'][number];

function gapLine({ confidence, accuracy }: Bin, x: Scale, y: Scale): Html {
  const at = round(x(confidence));
  return html`<line class="s1" stroke-width="5" stroke-opacity=".45" x1="${at}" x2="${at}" y1="${round(y(confidence))}" y2="${round(y(accuracy))}"/>`;
}

/** What lies on either side of the diagonal, beside the plot where no curve runs. */
function hints({ right, top, bottom }: Area): Html {
  return html`<text class="quiet small" x="${right + 10}" y="${top + 4}">on the dashed line:</text><text class="quiet small" x="${right + 10}" y="${top + 20}">as sure as right</text><text class="quiet small" x="${right + 10}" y="${bottom - 46}">below it: surer</text><text class="quiet small" x="${right + 10}" y="${bottom - 30}">than right</text>`;
}

function countBars(bins: readonly Bin[], x: Scale, area: Area): Html {
  const most = Math.max(1, ...bins.map(({ tokens }) => tokens));
  const y = scaleLinear().domain([0, most]).range([area.bottom, area.top]);
  const bars = bins.map(({ from, to, tokens }) => {
    const top = round(Math.min(y(tokens), area.bottom - 1));
    return html`<rect class="f3 bar" x="${round(x(from)) + 1}" width="${round(x(to) - x(from)) - 2}" y="${top}" height="${round(area.bottom - top)}"/>`;
  });
  return html`<g><text class="quiet small" x="${area.left}" y="${area.top - 8}">label tokens in each tenth; most ${new Intl.NumberFormat('en-US').format(most)}</text>${bars}</g>`;
}
