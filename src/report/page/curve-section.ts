import { shownProbability } from '../../page/heat.ts';
import { type Content, html } from '../../page/html.ts';
import { figure, number, percent } from '../../words.ts';
import { gapThreshold } from '../findings/overfitting.ts';
import { figureWords, lossAndAccuracy } from '../glossary.ts';
import type { RunStory } from '../run-story.ts';
import {
  accuracyPlot,
  answerLossPlot,
  answersPlot,
  bands,
  gapPlot,
  gradientPlot,
  lossPlot,
} from './plots.ts';
import { plotFigures, type Section, section, withCode } from './section.ts';

export function curveSection(story: RunStory): Section {
  const loss = lossPlot(story);
  if (!loss) return section('curves', 'Curves', html`<p>No step and no evaluation was recorded.</p>`);
  const answers = answerLossPlot(story);
  const accuracy = accuracyPlot(story);
  const gap = gapPlot(story);
  const given = answersPlot(story);
  return section(
    'curves',
    'Curves',
    plotFigures([loss], 'wide'),
    answers && [plotFigures([answers], 'wide'), answerLegend(story)],
    accuracy && html`<p>${lossAndAccuracy.short} ${lossAndAccuracy.same}</p>`,
    plotFigures([accuracy, gradientPlot(story)]),
    given && html`<div class="beside">${plotFigures([given])}<p>${withCode(figureWords.answers)}</p></div>`,
    gap &&
      html`<div class="beside">${plotFigures([gap])}<div><p>${figureWords.gap}</p><p>${gapWords(story)}</p></div></div>`,
  );
}

/** What the ranges say of a token, and what guessing would cost on this data. */
function answerLegend({ record }: RunStory): Content {
  const rows = bands.map(({ from, to, label }) => {
    const least = Number.isFinite(to) ? shownProbability(Math.exp(-to)) : undefined;
    const most = from > 0 ? shownProbability(Math.exp(-from)) : undefined;
    const range = least && most ? `${least} to ${most}` : least ? `above ${least}` : `below ${most}`;
    return html`<tr><td>${label}</td><td>${range}</td></tr>`;
  });
  const chance = record?.check?.chance;
  const guessing = chance
    ? `Here guessing costs ${figure(chance.answers)}: ${lowerFirst(figureWords.chance)} ${percent(chance.unseen)} of the validation answers are given by no training row.`
    : 'What guessing would cost on this data is not known.';
  return html`<div class="beside"><div><p>The answer loss is the mean over the answers' content tokens alone, because the end of a turn is soon free and flatters short answers. What it means depends on the data, so it is read beside chance. ${guessing} ${uniformWords(record)}</p></div>
<table class="bands"><caption>The ranges as a legend, no verdict</caption><thead><tr><th scope="col">answer loss</th><th scope="col">typical probability of a right token, exp(-loss)</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** For this run's vocabulary where it is known. */
function uniformWords(record: RunStory['record']): string {
  const vocabulary = record?.base?.vocabulary;
  if (!vocabulary) return figureWords.uniform;
  return `Guessing every one of the ${number(vocabulary)} words of its vocabulary alike costs ln V: ${figure(Math.log(vocabulary))}.`;
}

/** The last one against the threshold, which is crossed where its whole interval lies above. */
function gapWords({ evaluations }: RunStory): Content {
  const last = evaluations.findLast(({ gap }) => gap);
  if (!last?.gap) return undefined;
  const { value, low, high } = last.gap;
  const side = low > gapThreshold ? 'all above' : high < gapThreshold ? 'all below' : 'on both sides of';
  return `At step ${number(last.step)} it is ${figure(value)}; the interval from ${figure(low)} to ${figure(high)} lies ${side} the threshold of ${gapThreshold}.`;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
