import { seriesColors, type ThemeName, themes } from '../colors.ts';
import { type Content, type Html, html, style, trusted } from '../html.ts';
import { wrapText } from './text-width.ts';

/** What every plot says in words. */
export interface Caption {
  title: string;
  /** What is seen, in a sentence or two: shown under the title and read out by screen readers. */
  description?: string;
}

export const margin = 20;
const titleSize = 19;
const lineHeight = 18;

/** How far down the title and its description reach. */
export function captionHeight({ description }: Caption, width: number): number {
  return margin + titleSize + 8 + lineHeight * descriptionLines(description, width).length;
}

/**
 * An SVG file that stands alone: its words, its styles for light and dark, its paper. `inlinePlot` takes it into a page.
 */
export function plotFrame(caption: Caption, width: number, height: number, body: Content): string {
  const { title, description } = caption;
  const lines = descriptionLines(description, width).map(
    (line, at) =>
      html`<text class="quiet" x="${margin}" y="${margin + titleSize + 18 + lineHeight * at}">${line}</text>`,
  );
  const markup: Html = html`<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${[title, description].filter(Boolean).join('. ')}">
<title>${title}</title>
<desc>${description}</desc>
${style(standaloneStyles)}
<rect class="paper" width="${width}" height="${height}"/>
<text class="title" x="${margin}" y="${margin + titleSize - 4}">${title}</text>
${lines}
${body}
</svg>
`;
  return String(markup);
}

function descriptionLines(description: string | undefined, width: number): string[] {
  return description ? wrapText(description, 13, width - 2 * margin) : [];
}

/** A plot inside a page that has `plotStyles`, which follow the page's own light and dark. */
export function inlinePlot(svg: string): Html {
  return trusted(svg.replace(/<style>.*?<\/style>\n/s, ''));
}

/** Rules of one theme; `root` comes before each selector. */
export function plotRules(theme: ThemeName, root = ''): string {
  const { card, ink, quiet, rule } = themes[theme];
  const rules: [string, string][] = [
    ['.paper', `fill:${card}`],
    ['text', `fill:${ink}`],
    ['.quiet', `fill:${quiet}`],
    ['.grid', `stroke:${rule}`],
    ['.axis', `stroke:${quiet}`],
    ['.zone', `fill:${quiet}`],
    ...seriesColors[theme].flatMap((color, at): [string, string][] => [
      [`.s${at}`, `stroke:${color}`],
      [`.f${at}`, `fill:${color}`],
    ]),
  ];
  return rules.map(([selector, rule]) => `${root} .plot ${selector}{${rule}}`.trim()).join('\n');
}

/** What does not depend on the theme. */
export const plotShapes = `
.plot{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:13px;font-variant-numeric:tabular-nums}
.plot .title{font-size:19px;font-weight:600}
.plot .strong{font-weight:600}
.plot .small{font-size:12px}
.plot .line{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.plot .raw{fill:none;stroke-width:1;stroke-opacity:.38;stroke-linejoin:round}
.plot .thin{fill:none;stroke-width:1}
.plot .grid,.plot .axis{stroke-width:1;fill:none}
.plot .dashed{stroke-dasharray:5 4}
.plot .spread{fill-opacity:.16;stroke:none}
.plot .zone{fill-opacity:.07}
.plot .bar{fill-opacity:.28}
.plot .end{text-anchor:end}
.plot .middle{text-anchor:middle}
`;

const standaloneStyles = `${plotShapes}${plotRules('light')}
@media (prefers-color-scheme:dark){
${plotRules('dark')}
}
`;
