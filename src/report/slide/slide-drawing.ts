import { themes } from '../../page/colors.ts';
import { type Content, type Html, html, style } from '../../page/html.ts';
import { inlinePlot, plotRules, plotShapes } from '../../page/plot/frame.ts';
import { linePlot } from '../../page/plot/line-plot.ts';
import { fitText, textWidth, wrapText } from '../../page/plot/text-width.ts';
import type { RunStory } from '../run-story.ts';
import { maskStrip } from './mask-strip.ts';
import { labelShare, type SlideFacts, type SlideFigure } from './slide-facts.ts';

/** 16:9; rendered at twice this. */
const width = 960;
const height = 540;
const left = 40;
const right = width - 40;
const figuresLeft = 726;
const plotTop = 104;
const plotWidth = figuresLeft - left - 4;

const { paper, ink, quiet, rule, accent } = themes.light;

/**
 * One slide as an SVG file, in literal light colours: what turns it into pixels knows no other way, and a slide does
 * not follow the reader's theme.
 */
export function drawSlide(story: RunStory, facts: SlideFacts): string {
  const markup: Html = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif" role="img" aria-label="${facts.title}">
<title>${facts.title}</title>
${style(plotShapes + plotRules('light') + plainPlot)}
<rect width="${width}" height="${height}" fill="${paper}"/>
<text x="${left}" y="56" font-size="26" font-weight="600" fill="${ink}">${fitBold(facts.title, 26, right - left)}</text>
<text x="${left}" y="82" font-size="14" fill="${quiet}">${fitText(facts.subtitle, 14, right - left)}</text>
${plot(story)}
${figureColumn(facts)}
<line x1="${left}" x2="${right}" y1="436" y2="436" stroke="${rule}"/>
${lossBlock(story, 462)}
${notes(facts.notes)}
<text x="${right}" y="522" font-size="10" text-anchor="end" fill="${quiet}">${fitText(madeBy(story), 10, 400)}</text>
</svg>
`;
  return String(markup);
}

/** Bold is wider than `fitText` thinks. */
function fitBold(text: string, size: number, most: number): string {
  return fitText(text, size * 1.08, most);
}

/** The slide's own paper shows through, and the font is the slide's. */
const plainPlot = `
.plot{font-family:inherit}
.plot .paper{fill:none}
.plot .title{font-size:15px}
`;

function plot({ steps, evaluations, baseline, source }: RunStory): Content {
  if (steps.length + evaluations.length === 0) {
    return html`<text x="${left}" y="${plotTop + 40}" font-size="14" fill="${quiet}">No loss is recorded.</text>`;
  }
  const validation = [...(baseline ? [baseline] : []), ...evaluations];
  const svg = linePlot({
    title: 'Loss',
    x: { label: 'step' },
    y: {
      label:
        source === 'huggingface'
          ? 'as the Trainer logged it'
          : 'mean negative log-probability of a label token',
      from: 0,
    },
    series: [
      { name: 'validation', color: 0, points: validation.map(({ step, loss }) => [step, loss]) },
      { name: 'training', color: 1, smooth: true, points: steps.map(({ step, loss }) => [step, loss]) },
      {
        name: 'training rows, scored alike',
        color: 2,
        dashed: true,
        points: validation.flatMap(({ step, train }) => (train ? [[step, train.loss] as const] : [])),
      },
    ],
    width: plotWidth + 20,
    height: 180,
  });
  // The kit's margin is the slide's already; its title stands beside that of the figures.
  return html`<svg x="${left - 20}" y="${plotTop - 29}">${inlinePlot(svg)}</svg>`;
}

const figureStep = 64;

function figureColumn({ figuresOf, figures }: SlideFacts): Content {
  const most = right - figuresLeft;
  const cells = figures.slice(0, 5).map(({ name, value, beside }: SlideFigure, at) => {
    const top = plotTop + 34 + at * figureStep;
    const room = most - textWidth(value, 24 * 1.08) - 10;
    return html`<g><text x="${figuresLeft}" y="${top + 8}" font-size="24" font-weight="600" fill="${accent}">${value}</text><text x="${right}" y="${top + 8}" font-size="12.5" text-anchor="end" fill="${ink}">${fitText(name, 12.5, room)}</text><text x="${figuresLeft}" y="${top + 27}" font-size="12" fill="${quiet}">${fitText(beside, 12, most)}</text></g>`;
  });
  return html`<g><text x="${figuresLeft}" y="${plotTop + 6}" font-size="13" font-weight="600" fill="${ink}">${figuresOf}</text>${cells}</g>`;
}

function lossBlock(story: RunStory, y: number): Content {
  if (story.source === 'huggingface') return unknownBlock(y);
  const share = labelShare(story);
  const trained = share === undefined ? '' : `: ${share}`;
  return html`${formula(left, y + 4)}
<text x="${left}" y="${y + 26}" font-size="12" fill="${quiet}">M: the answers' tokens and their ends, over all rows of a step</text>
${maskStrip(maskLeft, y - 12)}
<text x="${maskLeft}" y="${y + 26}" font-size="12" fill="${quiet}">the filled ones are trained on${trained}</text>`;
}

const maskLeft = figuresLeft - 320;

/** `lossFormula`, set in text; `y` is its baseline. */
function formula(x: number, y: number): Html {
  const italic = (text: string) => html`<tspan font-style="italic">${text}</tspan>`;
  const sub = (text: string) =>
    html`<tspan font-size="10" dy="4">${text}</tspan><tspan dy="-4">\u200b</tspan>`;
  return html`<g fill="${ink}" font-size="16"><text x="${x}" y="${y}">${italic('L')} = −</text>
<g font-size="12" text-anchor="middle"><text x="${x + 51}" y="${y - 8}">1</text><line x1="${x + 41}" x2="${x + 61}" y1="${y - 5}" y2="${y - 5}" stroke="${ink}"/><text x="${x + 51}" y="${y + 7}">|${italic('M')}|</text></g>
<text x="${x + 67}" y="${y}">Σ${sub('(i,t) ∈ M')} ln ${italic('p')}(${italic('x')}${sub('i,t')} | ${italic('x')}${sub('i,<t')})</text></g>`;
}

function unknownBlock(y: number): Content {
  const text =
    'Not recorded in these files: which tokens the loss was computed on, what it was averaged over, the data, the rows of a ' +
    'step, and how the base did before step 1.';
  const lines = wrapText(text, 13, right - left);
  return lines.map(
    (line, at) => html`<text x="${left}" y="${y + 19 * at}" font-size="13" fill="${ink}">${line}</text>`,
  );
}

function notes(texts: readonly string[]): Content {
  const lines = texts.flatMap((text) => wrapText(text, 11, 470)).slice(0, 2);
  return lines.map(
    (line, at) => html`<text x="${left}" y="${508 + 14 * at}" font-size="11" fill="${quiet}">${line}</text>`,
  );
}

function madeBy({ name, record }: RunStory): string {
  const version = record?.versions?.lorikeet;
  const date = record?.startedAt ? `, ${record.startedAt.slice(0, 10)}` : '';
  return `${name}${date}${version ? `, Lorikeet ${version}` : ''}`;
}
