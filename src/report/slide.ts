import { escapeMarkdown } from './methods/prose.ts';
import { lossFormula } from './methods/sentences.ts';
import type { RunStory } from './run-story.ts';
import { drawSlide } from './slide/slide-drawing.ts';
import { labelShare, type SlideFacts, slideFacts } from './slide/slide-facts.ts';

export interface Slide {
  /** 960 x 540, one file that needs nothing else. */
  svg: string;
  /** The same words, for slides that are made of text; it names `slide.svg` beside it. */
  markdown: string;
}

/** One slide of a run: what was trained on what, the loss and its mask, its curves, its final figures. */
export function slideOf(story: RunStory): Slide {
  const facts = slideFacts(story);
  return { svg: drawSlide(story, facts), markdown: inMarkdown(story, facts) };
}

function inMarkdown(story: RunStory, { title, subtitle, figuresOf, figures, notes }: SlideFacts): string {
  const share = labelShare(story);
  const rows = figures.map(
    ({ name, value, beside }) => `| ${[name, value, beside].map(escapeMarkdown).join(' | ')} |\n`,
  );
  const loss =
    story.source === 'huggingface'
      ? '\nWhich tokens the loss was computed on is not recorded.\n'
      : `\n$$${lossFormula}$$\n\n*M*: the answers' tokens and their ends${share ? `, ${escapeMarkdown(share)}` : ''}.\n`;
  return `# ${escapeMarkdown(title)}

${escapeMarkdown(subtitle)}

![Loss over the run's steps](slide.svg)
${loss}
| ${escapeMarkdown(figuresOf)} | | to compare |
|---|---|---|
${rows.join('')}${notes.map((note) => `\n- ${escapeMarkdown(note)}`).join('')}${notes.length > 0 ? '\n' : ''}`;
}
