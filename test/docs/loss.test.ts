/** docs/loss.md: every number in it is computed here and found where it stands. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeExample } from '../../src/data/encode.ts';
import { tokenKinds } from '../../src/data/example.ts';
import { tokenTexts } from '../../src/data/token-texts.ts';
import { crossEntropy } from '../../src/loss.ts';
import { createProcessor, loadProcessor } from '../../src/models/qwen2-vl/processor.ts';
import { calibrationOf } from '../../src/report/calibration.ts';
import { gapThreshold } from '../../src/report/findings/overfitting.ts';
import { findingsOf } from '../../src/report/findings.ts';
import { bands as legend } from '../../src/report/page/plots.ts';
import { exampleOf, hasReal, realFolder, tokenizerOf } from '../data/conversations.ts';
import { storyOf } from '../report/made-up-curves.ts';
import { rowScore } from '../report/row-scores.ts';
import {
  answers,
  arithmetic,
  chance,
  code,
  count,
  ends,
  evaluated,
  examples,
  frequency,
  isTrained,
  labels,
  logits,
  lossAt,
  losses,
  lossOf,
  mean,
  percent,
  probabilities,
  question,
  quotient,
  read,
  row,
  sentence,
  side,
  sum,
  two,
  uniform,
  vocabulary,
  whole,
  word,
} from './loss-example.ts';
import { flowing, looseNumbers, missingClaims, said, tableRow } from './numbers.ts';

/** Label tokens by the probability of the likeliest token. */
const bins = [
  { from: 0.5, top: [0.52, 0.58], hits: 1 },
  { from: 0.7, top: [0.72, 0.76, 0.77], hits: 2 },
  { from: 0.9, top: [0.91, 0.94, 0.96, 0.97, 0.97], hits: 4 },
];
const calibrated = bins.flatMap(({ top, hits }) => top.map((p, n) => ({ loss: 0, top: p, hit: n < hits })));
const scored = { validation: 1.02, training: 0.71 };
const intervals = { narrow: [0.22, 0.4], wide: [0.05, 0.57] };

const claims: Record<string, string[]> = {
  '': [
    said`# What a loss of ${two(row.loss)} says`,
    said`A loss of ${two(row.loss)} says that the tokens which should have come got a probability of ${two(Math.exp(-row.loss))} each`,
  ],
  'One token': oneToken(),
  'Which tokens: the mask': [
    said`a picture of ${side} x ${side} pixels and the answer "${sentence.answer}" becomes ${sentence.ids.length} tokens`,
    ...maskTable(),
  ],
  'The shift by one': theShift(),
  'The mean': theMean(),
  'What to hold it against': toHoldAgainst(),
  'Loss and accuracy': lossAndAccuracy(),
  'Why losses of other tools cannot be compared': otherTools(),
  'Training loss against validation loss': trainingAgainstValidation(),
  Literature: [],
};

function oneToken(): string[] {
  const { No, There, Yes } = logits;
  const scores = [No, There, Yes];
  const exponentials = scores.map(Math.exp);
  const total = sum(exponentials);
  const [no, there, yes] = exponentials.map((value) => two(value / total));
  const factor = 10;
  const below = 30;
  const base = 2;
  const claimed = 0.8;
  return [
    said`with logits ${No}, ${There} and ${Yes}. The exponentials are ${exponentials.map(two).slice(0, 2).join(', ')} and ${two(exponentials[2])}, their sum is ${two(total)}, the probabilities are ${no}, ${there} and ${yes}.`,
    said`the loss is log ${two(total)} - ${Yes} = ${two(crossEntropy([scores], [2]).loss)}. If \`No\` was right, it is ${two(crossEntropy([scores], [0]).loss)}`,
    said`divide by ln ${base}: ${two(losses[0])} nats are ${two(losses[0] / Math.log(base))} bits`,
    ...[0.99, 0.9, 0.5, 0.1, 0.01].map((p) => tableRow(said`${p}`, said`${two(lossOf(p))}`)),
    said`each further factor of ${factor} costs ${two(lossOf(0.1 / factor) - lossOf(0.1))} more`,
    said`a wrong answer said with probability ${claimed} leaves the right one ${(1 - claimed).toFixed(1)} at most, so it costs at least -log ${(1 - claimed).toFixed(1)} = ${two(crossEntropy([[Math.log(claimed), Math.log(1 - claimed)]], [1]).loss)}`,
    said`a right token whose logit lies ${below} below the winner's costs ${two(crossEntropy([[below, 0]], [1]).loss)}`,
  ];
}

/** A row for each run of tokens of one kind; image tokens are one spelling and how often. */
function maskTable(): string[] {
  const { kinds, texts } = sentence;
  const starts = kinds.flatMap((kind, t) => (kind === kinds[t - 1] ? [] : [t]));
  return starts.map((start, n) => {
    const end = starts[n + 1] ?? kinds.length;
    const run = texts.slice(start, end);
    const isImage = kinds[start] === 'image';
    return tableRow(
      end - start === 1 ? said`${start}` : said`${start}-${end - 1}`,
      isImage ? said`${code(run[0])} ${run.length} times` : run.map(code).join(' '),
      kinds[start],
      isTrained(kinds[start]) ? 'yes' : 'no',
    );
  });
}

function theShift(): string[] {
  const first = labels[0];
  const last = labels.at(-1)!;
  const at = labels.findIndex((t) => sentence.texts[t] === ' visible');
  return [
    said`So \`Yes\` at ${first} is predicted from the line break at ${first - 1}`,
    said`the last label, at ${last}, from ${last - 1}.`,
    said`"\`·visible\` cost ${two(losses[at])}" means that the model, having read up to \`yp\`, gave \`·visible\` ${probabilities[at]}.`,
    ...labels.map((t, n) =>
      tableRow(
        said`${t}`,
        said`${t - 1}`,
        said`${sentence.ids[t]}`,
        code(sentence.texts[t]),
        said`${probabilities[n]}`,
        said`${two(losses[n])}`,
      ),
    ),
  ];
}

function theMean(): string[] {
  const short = [0.92, 0.98, 0.999];
  const shorts = short.map(lossOf);
  const costly = lossAt(' visible') + lossAt(' pol');
  const one = [losses[0], ...ends];
  const long = rowOf(losses, answers.length);
  const sentences = evaluated(long);
  const words = evaluated(rowOf(one, count(word, 'answer')));
  return [
    said`${arithmetic} = ${quotient}`,
    said`exp(-${two(sum(losses))}) = ${losses.reduce((p, loss) => p * Math.exp(-loss), 1).toFixed(5)} is the probability`,
    said`exp(-${two(row.loss)}) = ${two(Math.exp(-row.loss))}, the geometric mean of the ${row.count} probabilities.`,
    said`Their plain mean is ${two(mean(losses.map((loss) => Math.exp(-loss))))}:`,
    said`\`·visible\` and \`·pol\` alone make ${two(costly)} of the ${two(sum(losses))}.`,
    said`with probabilities ${short.slice(0, 2).join(', ')} and ${short[2]}, its end included: ${short.length} tokens, sum ${two(sum(shorts))}, mean ${two(mean(shorts))}.`,
    tableRow(
      'mean over tokens',
      said`(${two(sum(losses))} + ${two(sum(shorts))}) / ${row.count + short.length}`,
      said`${two(evaluated(long, rowOf(shorts, count(word, 'answer'))).loss)}`,
    ),
    tableRow(
      "mean of the rows' means",
      said`(${two(row.loss)} + ${two(mean(shorts))}) / ${[losses, shorts].length}`,
      said`${two(mean([row.loss, mean(shorts)]))}`,
    ),
    said`weighs ${two(row.count / short.length)} times as much as one of the long row`,
    tableRow(
      said`"${sentence.answer}"`,
      said`${two(sum(losses))} / ${sentences.tokens} = ${two(sentences.loss)}`,
      said`${two(sum(answers))} / ${answers.length} = ${two(sentences.answerLoss!)}`,
    ),
    tableRow(
      said`"Yes", at the same ${probabilities[0]}`,
      said`${two(sum(one))} / ${words.tokens} = ${two(words.loss)}`,
      said`${two(one[0])} / ${count(word, 'answer')} = ${two(words.answerLoss!)}`,
    ),
    said`one token is divided by ${one.length}.`,
  ];
}

/** A row whose last tokens are the turn's end. */
function rowOf(values: readonly number[], answerTokens: number) {
  return values.map((loss, n) => ({ loss, kind: n < answerTokens ? ('answer' as const) : ('end' as const) }));
}

function toHoldAgainst(): string[] {
  const isNot = [3, 5]; // what is often told of an untrained model
  const tokens = count(word, 'answer') + count(word, 'end');
  const wordings = 4;
  const [above, ...borders] = legend.flatMap(({ from }) => (from > 0 ? [from] : []));
  const perplexity = (loss: number) => two(Math.exp(loss));
  const probability = (loss: number) => two(Math.exp(-loss));
  const bands = borders.map((low, n) => [low, [above, ...borders][n]]);
  const lowest = borders.at(-1)!;
  const pieces = [lossAt(' pol'), lossAt('yp')];
  return [
    said`costs ln V: ${two(uniform(vocabulary['2B']))} for the ${whole(vocabulary['2B'])} words of ${'Qwen2-VL-2B'} (and for the ${whole(vocabulary['7B'])} of ${'Qwen2-VL-7B'}), not ${isNot[0]} to ${isNot[1]}.`,
    said`a run that starts near ${two(uniform(vocabulary['7B']))} reads`,
    said`If ${percent(frequency.yes)} of the answers are \`yes\` and ${percent(frequency.no)} \`no\`, someone who never looks says so and pays -(${frequency.yes} log ${frequency.yes} + ${frequency.no} log ${frequency.no}) = ${two(chance)} for each, and is right in ${percent(frequency.yes)}`,
    said`With its ${count(word, 'end')} end tokens for free the mean is ${two(chance)} / ${tokens} = ${two(chance / tokens)}. So a \`loss\` of ${two(chance / tokens)} can be`,
    said`A loss of ${two(row.loss)} is a perplexity of ${perplexity(row.loss)}; that of uniform guessing is V itself, ${whole(Math.round(Math.exp(uniform(vocabulary['2B']))))}.`,
    tableRow(said`above ${above}`, said`above ${perplexity(above)}`, said`below ${probability(above)}`),
    ...bands.map(([low, high]) =>
      tableRow(
        said`${low} to ${high}`,
        said`${perplexity(low)} to ${perplexity(high)}`,
        said`${probability(low)} to ${probability(high)}`,
      ),
    ),
    tableRow(said`below ${lowest}`, said`below ${perplexity(lowest)}`, said`above ${probability(lowest)}`),
    said`The ignorance that costs ${two(chance)} in the answer \`yes\` costs ${two(chance)} / ${answers.length} = ${two(chance / answers.length)} in a sentence of ${answers.length} tokens whose other ${answers.length - 1} are certain. The same model stands between ${bands.find(([low, high]) => low < chance && chance < high)!.join(' and ')}, and below ${lowest}.`,
    said`Where ${wordings} wordings are equally good and the data picks one at random, even a perfect model pays log ${wordings} = ${two(lossOf(1 / wordings))}`,
    said`\`polyp\` cost ${pieces.map(two).join(' + ')} = ${two(sum(pieces))}: as the ${pieces.length} tokens it is, ${two(mean(pieces))} each; in a vocabulary that holds it whole, ${two(sum(pieces))}.`,
  ];
}

function lossAndAccuracy(): string[] {
  const cases = [
    { name: 'sure and right', right: 0.95 },
    { name: 'hardly sure and right', right: 0.6 },
    { name: 'narrowly wrong', right: 0.45, other: 0.55 },
    { name: 'surely wrong', right: 0.2, other: 0.8 },
  ];
  const width = 0.1;
  const tokens = sum(bins.map(({ top }) => top.length));
  const distance = ({ top, hits }: (typeof bins)[number]) => Math.abs(mean(top) - hits / top.length);
  const { calibrationError } = evaluated(calibrated);
  const deserved = 0.9;
  return [
    ...cases.map(({ name, right, other = 1 - right }) => {
      const { loss, tokenAccuracy } = evaluated([{ loss: lossOf(right), hit: right > other }]);
      return tableRow(
        name,
        right > other ? said`${right}` : said`${right}, the other ${other}`,
        said`${percent(tokenAccuracy)}`,
        said`${two(loss)}`,
      );
    }),
    said`held likeliest with ${deserved}, are ${percent(deserved)} right?`,
    said`into ${Math.round(1 / width)} bins by the probability`,
    said`With ${tokens} tokens:`,
    ...bins.map((bin) =>
      tableRow(
        said`${bin.from.toFixed(1)} to ${(bin.from + width).toFixed(1)}`,
        said`${bin.top.map(two).join(', ')}`,
        said`${two(mean(bin.top))}`,
        said`${bin.hits} of ${bin.top.length} = ${two(bin.hits / bin.top.length)}`,
        said`${two(distance(bin))}`,
      ),
    ),
    said`(${bins.map((bin) => said`${bin.top.length} x ${two(distance(bin))}`).join(' + ')}) / ${tokens} = ${two(calibrationError)}`,
    said`whoever says \`yes\` with ${frequency.yes} in the example above is right in ${percent(frequency.yes)}`,
  ];
}

function otherTools(): string[] {
  const total = word.ids.length;
  const parts = ['image', 'header', 'system', 'user', 'answer', 'end'] as const;
  const trained = word.kinds.filter(isTrained).length;
  const counted = total - 1; // all but the first, which nothing predicts
  const known = 0.05;
  const unknown = 6;
  const better = 0.45;
  const all = (answer: number, rest: number) => (trained * answer + (counted - trained) * rest) / counted;
  const cost = Number(two(row.loss));
  return [
    said`the picture of ${side} x ${side} pixels, the same question and the answer "${word.answer}"`,
    ...parts.map((part) =>
      tableRow(part, said`${count(word, part)}`, said`${percent(count(word, part) / total, 1)}`),
    ),
    tableRow('all', said`${total}`, said`${percent(1)}`),
    said`${trained} of ${total} tokens are what Lorikeet trains; ${counted} have a token before them.`,
    said`Let those ${trained} cost ${two(cost)} each, and the other ${counted - trained} cost ${known} each`,
    said`the loss reads ${two(all(cost, known))}. Let them cost ${unknown} each (one that did not): ${two(all(cost, unknown))}.`,
    said`Bring the answer from ${two(cost)} to ${better}, and either falls by ${(all(cost, known) - all(better, known)).toFixed(3)}.`,
  ];
}

function trainingAgainstValidation(): string[] {
  const { validation, training } = scored;
  const { narrow, wide } = intervals;
  return [
    said`validation stands at ${validation} and the training sample at ${training}: a gap of ${two(validation - training)}.`,
    said`the whole interval lies above one threshold, ${gapThreshold}, as from ${narrow.map(two).join(' to ')} does`,
    said`From ${wide.map(two).join(' to ')} is no such evidence`,
  ];
}

/** Numbers that belong to a name. */
const names = [/et al\. \d{4}/g, /(JMLR|ICML) \d{4}/g, /Qwen2-VL/g];
const document = read('docs/loss.md');
const sections = new Map(
  document.split(/^## /m).map((text, n) => [n === 0 ? '' : text.slice(0, text.indexOf('\n')), text]),
);

describe('docs/loss.md', () => {
  it('has the sections that are computed here', () => {
    expect([...sections.keys()]).toEqual(Object.keys(claims));
  });

  it.each(Object.entries(claims))('says what was computed: %s', (section, expected) => {
    expect(missingClaims(sections.get(section)!, expected)).toEqual([]);
  });

  it.each(Object.entries(claims))('has no number that nobody computed: %s', (section, expected) => {
    expect(looseNumbers(sections.get(section)!, expected, names)).toEqual([]);
  });

  it('fails where any one number is another', () => {
    for (const [section, text] of sections) {
      const flow = flowing(text);
      for (const { index, found, around } of looseNumbers(flow, [], names)) {
        const last = index + found.length - 1;
        const other = (Number(found.at(-1)) + 1) % 10;
        const changed = `${flow.slice(0, last)}${other}${flow.slice(last + 1)}`;
        expect(looseNumbers(changed, claims[section], names), around).not.toEqual([]);
      }
    }
  });
});

describe('what the document says of a report', () => {
  it.each([
    ['overfitting where the whole interval lies above the threshold', intervals.narrow, ['overfitting']],
    ['nothing where it does not', intervals.wide, []],
  ])('is what the report says: %s', (_, [low, high], kinds) => {
    const { validation, training } = scored;
    const gap = { value: validation - training, low, high };
    const story = storyOf({ train: () => training, validation: () => validation });
    const evaluations = story.evaluations.map((point) => ({ ...point, gap }));
    const found = findingsOf({ ...story, evaluations }).map(({ kind }) => kind);
    expect(found.filter((kind) => kind === 'overfitting')).toEqual(kinds);
  });

  it('has the calibration error of the evaluation', () => {
    const row = rowScore(
      0,
      calibrated.map(({ loss, hit, top }) => ['answer', loss, hit, top]),
    );
    const filled = calibrationOf([row])!.bins.filter(({ tokens }) => tokens > 0);
    expect(calibrationOf([row])!.error).toBeCloseTo(evaluated(calibrated).calibrationError, 6);
    expect(filled.map(({ from, tokens }) => [from, tokens])).toEqual(
      bins.map(({ from, top }) => [from, top.length]),
    );
  });
});

describe('the worked example', () => {
  it('has as many image tokens as the processor makes of the picture', () => {
    const processor = createProcessor({
      minPixels: 3136,
      maxPixels: 12_845_056,
      patchSize: 14,
      temporalPatchSize: 2,
      mergeSize: 2,
      rescaleFactor: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
    const tokens = processor.tokenCount(processor.gridFor(side, side));
    for (const example of [sentence, word]) expect(count(example, 'image')).toBe(tokens);
  });
});

describe.runIf(hasReal)('the worked example with the Qwen2-VL tokenizer (needs ../shared)', () => {
  it.each(Object.values(examples))('becomes the tokens of the reference: $answer', async (expected) => {
    const tokenizer = await tokenizerOf(realFolder);
    const processor = await loadProcessor(realFolder);
    const encoded = encodeExample(
      exampleOf({
        turns: [
          { role: 'user', content: ['image', { text: question }] },
          { role: 'assistant', content: [{ text: expected.answer }] },
        ],
      }),
      {
        tokenizer,
        imageTokenId: tokenizer.specialId('<|image_pad|>'),
        grids: [processor.gridFor(side, side)],
        tokenCount: processor.tokenCount,
      },
    );
    expect([...encoded.ids]).toEqual(expected.ids);
    expect([...encoded.kinds].map((kind) => tokenKinds[kind])).toEqual(expected.kinds);
    expect(tokenTexts(tokenizer, encoded.ids)).toEqual(expected.texts);
  });

  it.each(['2B', '7B'] as const)('has the vocabulary of Qwen2-VL-%s', (size) => {
    const file = join(realFolder, `config-${size.toLowerCase()}.json`);
    if (existsSync(file)) expect(JSON.parse(readFileSync(file, 'utf8')).vocab_size).toBe(vocabulary[size]);
  });
});
