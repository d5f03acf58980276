/** A scorecard as lines that a person reads at a terminal. */
import type { Estimate } from '../metrics/bootstrap.ts';
import { count, figure, number, percent, shortPath } from '../words.ts';
import type {
  ChangedRow,
  Comparison,
  ImageTest,
  Scorecard,
  ScoredModel,
  Scores,
  TypeScores,
} from './scorecard.ts';
import { points } from './verdicts.ts';

const typesShown = 12;
const changesShown = 8;
const lostShown = 5;

export function describeEvaluation(card: Scorecard): string[] {
  const lines = [
    line('Model', modelText(card.model)),
    line('Data', dataText(card)),
    line('Match', `${card.normalisation}; in brackets 95 of 100 resamples of ${clusterWords(card)}`),
    '',
    ...exactMatchTable(card),
    '',
    ...otherScores(card.overall),
    line('Certainty', certaintyText(card)),
    line('Floor', card.floor.verdict),
    ...imageLines(card.imageTest),
    ...(card.against ? comparisonLines(card.against) : []),
    ...cutLine(card),
    ...lostLines(card),
  ];
  return lines.map(printable);
}

function line(name: string, text: string): string {
  return `${name.padEnd(11)} ${text}`;
}

export function modelText({ model, adapter, reason }: ScoredModel): string {
  const weights =
    adapter === null ? `${shortPath(model)} alone` : `${shortPath(model)} with ${shortPath(adapter)}`;
  return `${weights} (${reason})`;
}

function dataText({ file, split, rows, answers, pictures }: Scorecard): string {
  const asked =
    answers === rows ? count(answers, 'question') : `${count(answers, 'answer')} in ${count(rows, 'row')}`;
  return `${shortPath(file)}, the ${split} split: ${asked} about ${count(pictures, 'picture')}`;
}

function clusterWords({ clusteredBy, clusters }: Scorecard): string {
  return `${count(clusters, clusteredBy)}, never of rows`;
}

/** The share with its interval in a fixed width; a cluster alone has none. */
function share({ value, low, high }: Estimate): string {
  const interval = low === null || high === null ? '' : ` [${tenth(low)}, ${tenth(high)}]`;
  return `${percent(value).padStart(7)}${interval.padEnd(15)}`;
}

const tenth = (value: number) => (100 * value).toFixed(1);

function exactMatchTable(card: Scorecard): string[] {
  const { overall, types, answerTypes, imageTest } = card;
  const named = (scores: TypeScores[]): [string, Scores][] =>
    scores.slice(0, typesShown).map((scores) => [scores.type, scores]);
  const rows: [string, Scores][] = [['all', overall], ...named(answerTypes), ...named(types)];
  const width = Math.min(28, Math.max(11, ...rows.map(([name]) => name.length)));
  const head = `${'Exact match'.padEnd(width)} ${'answers'.padStart(8)}  ${'model'.padStart(7).padEnd(22)}  ${'floor'.padStart(7)}`;
  const lines = rows.map(([name, { answers, exactMatch, floor, shuffled }]) => {
    const wrong = shuffled ? `  ${percent(shuffled.value).padStart(7)}` : '';
    const cut = name.length > width ? `${name.slice(0, width - 3)}...` : name;
    return `${cut.padEnd(width)} ${number(answers).padStart(8)}  ${share(exactMatch)}  ${percent(floor.value).padStart(7)}${wrong}`;
  });
  const left = types.length - typesShown + Math.max(0, answerTypes.length - typesShown);
  return [
    `${head}${imageTest ? '  wrong pictures' : ''}`,
    ...lines,
    ...(left > 0 ? [`(${count(left, 'smaller type')} in evaluation.json)`] : []),
  ];
}

function otherScores({ tokenF1, yesNo, number: numbers, bleu1, rougeL, loss }: Scores): string[] {
  const scored = (name: string, estimate: Estimate | undefined, of = '') =>
    estimate ? [line(name, `${share(estimate).trim()}${of && ` of ${count(estimate.rows, of)}`}`)] : [];
  return [
    ...scored('Token F1', tokenF1),
    ...scored('Yes or no', yesNo, 'answer'),
    ...scored('Numbers', numbers, 'answer'),
    ...scored('BLEU-1', bleu1, 'long answer'),
    ...scored('ROUGE-L', rougeL, 'long answer'),
    ...(loss
      ? [
          line(
            'Loss',
            `${nats(loss.perToken)} nats a token, ${figure(loss.perAnswer.value)} an answer, ` +
              `${figure(loss.perCharacter.value)} a character; perplexity ${figure(loss.perplexity.value)}`,
          ),
        ]
      : []),
  ];
}

function nats({ value, low, high }: Estimate): string {
  return low === null || high === null ? figure(value) : `${figure(value)} [${figure(low)}, ${figure(high)}]`;
}

function certaintyText({ calibration, overall }: Scorecard): string {
  const { bins, error, answers } = calibration;
  const confidence = bins.reduce((sum, bin) => sum + bin.confidence * bin.answers, 0) / answers;
  return (
    `gives its answers ${percent(confidence)} on average and has ${percent(overall.exactMatch.value)} of them right; ` +
    `calibration error ${percent(error)}`
  );
}

function imageLines(test: ImageTest | undefined): string[] {
  if (!test) return [line('Images', 'not tested: no picture could be exchanged for another')];
  const elsewhere = test.rightElsewhere
    ? `; right answers for those pictures would score ${percent(test.rightElsewhere.value)}` +
      (test.rightElsewhere.rows < test.answers
        ? ` (${count(test.rightElsewhere.rows, 'question')} asked of others too)`
        : '')
    : '';
  return [
    line('Images', test.verdict),
    line(
      '',
      `${percent(test.own.value)} with its own pictures, ${percent(test.shuffled.value)} with others${elsewhere}`,
    ),
  ];
}

function comparisonLines({ model, exactMatch, difference, changed, verdict }: Comparison): string[] {
  const gained = changed.filter(({ exact }) => exact).length;
  const { value, low, high } = difference.exactMatch;
  const interval = low === null || high === null ? '' : ` [${tenth(low)}, ${tenth(high)}]`;
  return [
    '',
    line('Against', modelText(model)),
    line('', verdict),
    line('', `it has ${percent(exactMatch.value)}; difference ${points(value)}${interval}`),
    line('', `${number(gained)} answers became right, ${number(changed.length - gained)} wrong`),
    ...changed.slice(0, changesShown).flatMap(changeLines),
    ...(changed.length > changesShown
      ? [line('', `and ${number(changed.length - changesShown)} more in evaluation.json`)]
      : []),
  ];
}

function changeLines({ row, question, expected, predicted, against, exact }: ChangedRow): string[] {
  return [
    line(exact ? '  + right' : '  - wrong', `row ${row}: ${short(question)}`),
    line('', `  expected ${short(expected)} | other ${short(against)} | this ${short(predicted)}`),
  ];
}

function short(text: string): string {
  const one = text.replace(/\s+/g, ' ').trim();
  return one.length <= 60 ? JSON.stringify(one) : `${JSON.stringify(one.slice(0, 57))}...`;
}

function cutLine({ cut, answers, maxNewTokens }: Scorecard): string[] {
  if (cut === 0) return [];
  const text = `${number(cut)} of ${count(answers, 'answer')} had not ended after ${count(maxNewTokens, 'token')}`;
  return [line('Cut', `${text} (--max-new-tokens)`)];
}

function lostLines({ lost }: Scorecard): string[] {
  if (lost.length === 0) return [];
  return [
    line(
      'Lost',
      `${count(lost.length, 'row')} could not be scored and ${lost.length === 1 ? 'is' : 'are'} in no figure`,
    ),
    ...lost.slice(0, lostShown).map(({ reason }) => line('', reason)),
    ...(lost.length > lostShown
      ? [line('', `and ${number(lost.length - lostShown)} more in evaluation.json`)]
      : []),
  ];
}

/** What a model or a file says must not move the cursor of who reads it. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\ufffd');
}
