/** The words of a report's figures, once for page, command and documents. */
import type { BestMetric } from '../config/best-metrics.ts';
import type { Best } from '../train/events.ts';
import { percent } from '../words.ts';

/** What loss and accuracy say, and what neither says alone. */
export const lossAndAccuracy = {
  short:
    'Loss says how sure the model was of the right token; accuracy says whether the right token was the likeliest.',
  same:
    'The same accuracy can have very different losses: right tokens said with probability 0.95 cost 0.05 each, right tokens ' +
    'said with 0.6 cost 0.51, and in both cases every token was the likeliest.',
  wrong:
    'A wrong answer said with probability 0.8 leaves at most 0.2 for the right one, so it costs at least -ln 0.2 = 1.61: a ' +
    'lot, and finite. Only a right token of probability 0 would cost infinitely much.',
} as const;

/** What chose `best/`, as people say it. */
export const metricWords: Record<BestMetric, string> = {
  loss: 'validation loss',
  answerLoss: 'answer loss',
  tokenAccuracy: 'token accuracy',
  exactMatch: 'exact match given the right tokens',
  calibrationError: 'calibration error',
  'answers.exactMatch': 'exact match of given answers',
  'answers.f1': 'token F1 of given answers',
};

const shares: readonly BestMetric[] = ['tokenAccuracy', 'exactMatch', 'answers.exactMatch', 'answers.f1'];

/** `validation loss 0.4321` */
export function bestFigure({ metric, value }: Pick<Best, 'metric' | 'value'>): string {
  return `${metricWords[metric]} ${shares.includes(metric) ? percent(value) : value.toFixed(4)}`;
}

/** Names of figures as they stand in events, and what each is. */
export const figureWords = {
  loss: 'Mean negative log-probability (natural log) over all label tokens, the two that end a turn among them.',
  answerLoss:
    "The same over the answers' content tokens alone: the end of a turn is soon free, and flatters short answers.",
  tokenAccuracy: 'Share of label tokens that were the likeliest token, given the right tokens before them.',
  exactMatch:
    'Share of assistant turns whose every content token and `<|im_end|>` was the likeliest token, given the right tokens before it.',
  calibrationError:
    'Expected calibration error: how far the share of tokens that were right lies from the probability that the model gave its ' +
    'likeliest token, in ten bins of that probability, weighed by their tokens. 0 is honest; it says nothing about how often it is right.',
  answers:
    'The same validation rows answered at every evaluation, nothing given but picture and question, and scored as `lorikeet evaluate` ' +
    'scores: exact match after trimming and lower-casing, token F1 of the words. The floor is what somebody scores who always gives ' +
    'the commonest training answer to the question and never looks.',
  gap:
    'Validation loss less the loss of the same training rows, both scored at the same step without dropout; the interval is that ' +
    'of 95 of 100 bootstrap resamples of the pictures.',
  uniform: 'Guessing every word of the vocabulary alike costs ln V: 11.93 for 151,936 words.',
  chance:
    'What the answers would cost a guesser that knows how often training gives each of them, and sees neither picture nor question.',
  gradNorm: "Global 2-norm of the step's mean gradient, before clipping.",
} as const;
