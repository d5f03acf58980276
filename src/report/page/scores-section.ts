import { type Content, type Html, html } from '../../page/html.ts';
import { evaluationFiles, evaluationName } from '../../train/evaluation-files.ts';
import { count, number, percent } from '../../words.ts';
import type { ToldScorecard } from '../read-scorecards.ts';
import type { RunStory } from '../run-story.ts';
import { beginning, type Section, section } from './section.ts';

/** What `lorikeet evaluate` found; nothing where it was not asked, or not about this run. */
export function scoresSection({ scorecards = [] }: RunStory): Section | undefined {
  if (scorecards.length === 0) return undefined;
  return section('scores', 'Answers scored', scorecards.map(cardPart));
}

const mostTypes = 20;

function cardPart(card: ToldScorecard): Html {
  const { split, answers, model, overall, types, floor, imageTest, cut, lost } = card;
  const hasShuffled = overall.shuffled !== undefined;
  const rows = [
    scoreRow('all answers', overall, hasShuffled),
    ...types.slice(0, mostTypes).map(({ type, ...scores }) => scoreRow(type, scores, hasShuffled)),
  ];
  const left = types.length - mostTypes;
  return html`<h3>The ${split} split</h3>
<p><b>${beginning(floor.verdict, mostVerdict)}</b>${imageTest && html` ${beginning(imageTest.verdict, mostVerdict)}`}</p>
<div class="scroll" tabindex="0"><table class="scored"><thead><tr><th scope="col">exact match</th><th scope="col" class="n">answers</th><th scope="col" class="n">model</th><th scope="col" class="n">95 % interval</th><th scope="col" class="n">token F1</th><th scope="col" class="n">floor</th>${hasShuffled && html`<th scope="col" class="n">wrong pictures</th>`}</tr></thead><tbody>${rows}</tbody></table></div>
${left > 0 && html`<p class="quiet">and ${number(left)} more types</p>`}
<p class="quiet"><small>${meaning(card)} ${beyond(cut, lost)}Scored: <span class="data">${beginning(model.adapter ?? model.model, 200)}</span>. All ${count(answers, 'answer')}: <code>${evaluationName(split)}/${evaluationFiles.predictions}</code>.</small></p>`;
}

const mostVerdict = 300;

function scoreRow(name: string, scores: ToldScorecard['overall'], hasShuffled: boolean): Html {
  const { answers, exactMatch, tokenF1, floor, shuffled } = scores;
  const { low, high } = exactMatch;
  const interval = low === null || high === null ? '–' : `${tenth(low)} to ${tenth(high)}`;
  return html`<tr><td class="data">${beginning(name, 120)}</td><td class="n">${number(answers)}</td><td class="n">${percent(exactMatch.value)}</td><td class="n">${interval}</td><td class="n">${percent(tokenF1.value)}</td><td class="n">${percent(floor.value)}</td>${hasShuffled && html`<td class="n">${shuffled ? percent(shuffled.value) : '–'}</td>`}</tr>`;
}

const tenth = (share: number) => (100 * share).toFixed(1);

function meaning({ clusteredBy, clusters, imageTest, overall }: ToldScorecard): Content {
  const elsewhere = imageTest?.rightElsewhere
    ? ` Right answers for those pictures would score ${percent(imageTest.rightElsewhere.value)}.`
    : '';
  const wrong = overall.shuffled
    ? ` Wrong pictures: the same questions about other pictures.${elsewhere}`
    : '';
  return `An answer is right where it equals the right one once both are trimmed and lower-cased. Intervals draw ${count(clusters, clusteredBy)}, never rows. The floor always gives the commonest training answer and never looks.${wrong}`;
}

function beyond(cut: number, lost: number): string {
  const unended =
    cut > 0 ? `${count(cut, 'answer')} had not ended when ${cut === 1 ? 'it was' : 'they were'} cut. ` : '';
  const unread = lost > 0 ? `${count(lost, 'row')} could not be scored. ` : '';
  return `${unended}${unread}`;
}
