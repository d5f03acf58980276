import { shownProbability } from '../../page/heat.ts';
import { html } from '../../page/html.ts';
import { shownLoss } from '../../page/tokens.ts';
import { number } from '../../words.ts';
import { lossAndAccuracy } from '../glossary.ts';
import { lossByType } from '../row-figures.ts';
import type { RunStory } from '../run-story.ts';
import { heldOut, typesPlot } from './plots.ts';
import { beginning, plotFigures, type Section, section } from './section.ts';

const mostRows = 60;

/** Nothing where the data has no question types. */
export function typesSection(story: RunStory): Section | undefined {
  const types = lossByType(heldOut(story, 'last'));
  if (types.length === 0) return undefined;
  const rows = types
    .slice(0, mostRows)
    .map(
      ({ type, rows, tokens, loss, answerLoss, exactMatch }) =>
        html`<tr><td class="data">${beginning(type, 120)}</td><td class="n">${number(rows)}</td><td class="n">${number(tokens)}</td><td class="n">${answerLoss === null ? '–' : shownLoss(answerLoss)}</td><td class="n">${shownLoss(loss)}</td><td class="n">${shownProbability(exactMatch)}</td></tr>`,
    );
  const left = types.length - mostRows;
  return section(
    'types',
    'Loss by question type',
    html`<p>Types with few rows say little: their figures move with every row. ${lossAndAccuracy.short}</p>`,
    html`<div class="beside">${plotFigures([typesPlot(story)])}<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">type</th><th scope="col" class="n">rows</th><th scope="col" class="n">label tokens</th><th scope="col" class="n">answer loss</th><th scope="col" class="n">loss</th><th scope="col" class="n">exact match</th></tr></thead><tbody>${rows}</tbody></table></div></div>`,
    left > 0 && html`<p class="quiet">and ${number(left)} more types</p>`,
  );
}
