import { type Content, type Html, html } from '../../page/html.ts';
import { inlinePlot } from '../../page/plot/frame.ts';

/** A part of the page: `html` is one element with this id, a child of `main`. */
export interface Section {
  id: string;
  title: string;
  html: string;
}

/** A plot, drawn once for the page and for its own file. */
export interface NamedPlot {
  name: string;
  svg: string;
}

export function section(id: string, title: string, ...body: Content[]): Section {
  return { id, title, html: String(html`<section id="${id}"><h2>${title}</h2>${body}</section>`) };
}

export function contentsSection(sections: readonly Section[]): Section {
  const links = sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`);
  const nav = html`<section id="contents"><nav aria-label="Contents">${links}</nav></section>`;
  return { id: 'contents', title: 'Contents', html: String(nav) };
}

/** Plots side by side where there is room; `wide` ones have a row of their own. */
export function plotFigures(
  plots: readonly (NamedPlot | undefined)[],
  look: 'wide' | 'pair' = 'pair',
): Content {
  const shown = plots.filter((plot) => plot !== undefined);
  if (shown.length === 0) return undefined;
  return html`<div class="plots ${look}">${shown.map(({ svg }) => html`<figure class="scroll" tabindex="0">${inlinePlot(svg)}</figure>`)}</div>`;
}

/** Names with what they are; a fact without a value is left out. */
export function facts(entries: readonly (readonly [name: string, value: Content])[]): Html {
  const known = entries.filter(
    ([, value]) => value !== undefined && value !== null && value !== false && value !== '',
  );
  return html`<dl class="facts">${known.map(([name, value]) => html`<div><dt>${name}</dt><dd class="data">${value}</dd></div>`)}</dl>`;
}

/** The beginning of a text that may be long, and how much more there was. */
export function beginning(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most)} … (${text.length - most} more characters)`;
}

/** Words between backticks as code. */
export function withCode(text: string): Content {
  return text.split(/`([^`]*)`/).map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part));
}
