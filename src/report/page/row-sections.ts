import { heatLegend, shownProbability } from '../../page/heat.ts';
import { type Html, html } from '../../page/html.ts';
import { compareStrips, type StripToken, shownLoss, tokenStrip } from '../../page/tokens.ts';
import type { RowScore, TokenScore } from '../../train/row-scores.ts';
import { count, number } from '../../words.ts';
import { worstRows } from '../row-figures.ts';
import type { RunStory } from '../run-story.ts';
import { rowPicture } from './picture.ts';
import { heldOut } from './plots.ts';
import { beginning, type Section, section } from './section.ts';

const mostCompared = 12;
const mostWorst = 10;
/** Of a row that is shown; the rest is counted. */
const mostTokens = 150;
const mostQuestionText = 600;

/** The same held-out rows before step 1 and at the last evaluation, token by token. */
export function heatSection(story: RunStory): Section {
  const title = 'The same rows, at the start and at the end';
  const pairs = comparedRows(story);
  if (pairs.length === 0) {
    const why = 'No validation row was scored both before step 1 and later, so there is nothing to compare.';
    return section('rows', title, html`<p>${why}</p>`);
  }
  const cards = pairs.map(({ start, last }) => {
    const strips = compareStrips(
      stripTokens(start),
      stripTokens(last),
      `Row ${last.row}, loss at the start and at the end`,
    );
    return rowCard(
      story,
      last,
      html`loss ${shownLoss(meanLoss(start))} → <b>${shownLoss(meanLoss(last))}</b>`,
      strips,
    );
  });
  const steps = `before step 1 and at step ${number(pairs[0].last.step)}`;
  const lead = `What each label token of ${count(pairs.length, 'validation row')} cost ${steps}. Point at a token, or go along them with the arrow keys, to see more.`;
  return section('rows', title, html`<p>${lead}</p>`, heatLegend(), cards);
}

interface Pair {
  start: RowScore;
  last: RowScore;
}

/** Rows of both evaluations with the same tokens, those with a picture first. */
export function comparedRows(story: RunStory): Pair[] {
  const before = new Map(heldOut(story, 'start').map((score) => [score.row, score]));
  const pairs = heldOut(story, 'last').flatMap((last): Pair[] => {
    const start = before.get(last.row);
    const isSame =
      start !== undefined &&
      start.step !== last.step &&
      last.tokens.length > 0 &&
      start.tokens.length === last.tokens.length &&
      start.tokens.every(({ text }, t) => text === last.tokens[t].text);
    return isSame ? [{ start, last }] : [];
  });
  const [pictured, plain] = [true, false].map((with_) =>
    pairs.filter(({ last }) => (last.picture !== undefined) === with_),
  );
  return [...pictured, ...plain].slice(0, mostCompared);
}

export function worstSection(story: RunStory): Section | undefined {
  const worst = worstRows(heldOut(story, 'last'), mostWorst);
  if (worst.length === 0) return undefined;
  const cards = worst.map(({ score, loss, answerLoss }) => {
    const answers = answerLoss !== null && html`, answer ${shownLoss(answerLoss)}`;
    const strip = tokenStrip(stripTokens(score), `Row ${score.row}`);
    return rowCard(story, score, html`loss <b>${shownLoss(loss)}</b>${answers}`, strip);
  });
  const lead = `The validation rows with the highest loss at step ${number(worst[0].score.step)}, the worst first. A wrong label stands out here as well as a hard question.`;
  return section('worst', 'The worst rows', html`<p>${lead}</p>`, heatLegend(), cards);
}

function rowCard(story: RunStory, score: RowScore, cost: Html, strip: Html): Html {
  const { row, type, tokens, question } = score;
  const more = tokens.length - mostTokens;
  return html`<article class="card row">${rowPicture(story, score)}<div><p class="row-head"><span>row ${number(row)}${type !== undefined && html` · <span class="data">${beginning(type, 80)}</span>`}</span><span class="figures">${cost}</span></p><p class="question data">${beginning(question, mostQuestionText)}</p>${strip}${
    more > 0 && html`<p class="quiet"><small>and ${count(more, 'token')} more</small></p>`
  }</div></article>`;
}

function meanLoss({ tokens }: RowScore): number {
  return tokens.reduce((sum, { loss }) => sum + loss, 0) / tokens.length;
}

function stripTokens({ tokens }: RowScore): StripToken[] {
  return tokens.slice(0, mostTokens).map((token) => ({
    text: token.text,
    label: true,
    loss: token.loss,
    notes: [hitNote(token)],
  }));
}

function hitNote({ hit, top }: TokenScore): string {
  return hit ? 'It was the likeliest token.' : `Another token was likelier: ${shownProbability(top)}.`;
}
