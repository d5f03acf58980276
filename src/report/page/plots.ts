import { shownProbability } from '../../page/heat.ts';
import { dotPlot } from '../../page/plot/dot-plot.ts';
import { linePlot } from '../../page/plot/line-plot.ts';
import { reliabilityPlot } from '../../page/plot/reliability-plot.ts';
import type { Point } from '../../page/plot/thin.ts';
import { count, figure, number, rate } from '../../words.ts';
import { calibrationOf } from '../calibration.ts';
import { gapThreshold } from '../findings/overfitting.ts';
import { lossByType } from '../row-figures.ts';
import type { EvaluationPoint, RunStory, StepPoint } from '../run-story.ts';
import type { NamedPlot } from './section.ts';

/** The legend of the answer loss: what each range says of a token's probability, nothing of the run. */
export const bands = [
  { from: 3, to: Number.POSITIVE_INFINITY, label: 'above 3' },
  { from: 1.5, to: 3, label: '1.5 to 3' },
  { from: 0.8, to: 1.5, label: '0.8 to 1.5' },
  { from: 0.5, to: 0.8, label: '0.5 to 0.8' },
  { from: 0, to: 0.5, label: 'below 0.5' },
];

const step = { label: 'step', whole: true };

/** The evaluations with the one before step 1. */
export function evaluationsOf({ baseline, evaluations }: RunStory): EvaluationPoint[] {
  return [...(baseline ? [{ ...baseline, type: undefined }] : []), ...evaluations];
}

export function heldOut({ scores }: RunStory, which: 'start' | 'last') {
  return scores[which].filter(({ split }) => split === 'validation');
}

/** What of each point is a number, over the steps. */
function curve<P extends { step: number }>(
  points: readonly P[],
  read: (point: P) => number | null | undefined,
): Point[] {
  return points.flatMap((point): Point[] => {
    const value = read(point);
    return typeof value === 'number' ? [[point.step, value]] : [];
  });
}

export function lossPlot(story: RunStory): NamedPlot | undefined {
  const evaluations = evaluationsOf(story);
  if (story.steps.length + evaluations.length === 0) return undefined;
  const rates = curve(story.steps, (point) => point.learningRate);
  const highest = rates.reduce((most, [, value]) => Math.max(most, value), 0);
  const best = evaluations.reduce<EvaluationPoint | undefined>(
    (low, point) => (low === undefined || point.loss < low.loss ? point : low),
    undefined,
  );
  const start = story.baseline ? ' At step 0 stands the model before training.' : '';
  const held = evaluations.length > 0 ? ` Validation rows are scored without dropout.${start}` : '';
  const svg = linePlot({
    title: evaluations.length > 0 ? 'Training and validation loss' : 'Training loss',
    description:
      story.source === 'lorikeet'
        ? `Mean over all label tokens, natural logarithm.${held}`
        : 'As the Trainer logged it.',
    x: step,
    y: { label: story.source === 'lorikeet' ? 'loss, nats per label token' : 'loss', from: 0 },
    series: [
      { name: 'validation', points: curve(evaluations, (point) => point.loss), color: 0 },
      { name: 'training', points: curve(story.steps, (point) => point.loss), color: 1, smooth: true },
    ],
    moments:
      evaluations.length > 2 && best
        ? [{ x: best.step, label: `lowest: ${figure(best.loss)} at step ${number(best.step)}` }]
        : [],
    ...(highest > 0 && { strip: { label: `learning rate, at most ${rate(highest)}`, points: rates } }),
  });
  return { name: 'loss', svg };
}

export function answerLossPlot(story: RunStory): NamedPlot | undefined {
  const evaluations = evaluationsOf(story);
  const points = curve(evaluations, (point) => point.answerLoss);
  if (points.length === 0) return undefined;
  const vocabulary = story.record?.base?.vocabulary;
  const chance = story.record?.check?.chance;
  const uniform = chance?.uniform ?? (vocabulary ? Math.log(vocabulary) : undefined);
  const svg = linePlot({
    title: 'Answer loss beside chance',
    description:
      "Mean over the answers' content tokens alone, validation rows. The ranges on the right are a legend for the eye, no verdict.",
    x: step,
    y: { label: 'loss, nats per answer token', from: 0 },
    series: [{ name: 'answers', points, color: 0 }],
    lines: [
      ...(chance ? [{ y: chance.answers, label: 'guessing from the training answers' }] : []),
      ...(uniform ? [{ y: uniform, label: 'every word alike, ln V' }] : []),
    ],
    zones: bands,
  });
  return { name: 'answer-loss', svg };
}

export function accuracyPlot(story: RunStory): NamedPlot | undefined {
  const evaluations = evaluationsOf(story);
  const tokens = curve(evaluations, (point) => point.tokenAccuracy);
  const exact = curve(evaluations, (point) => point.exactMatch);
  if (tokens.length + exact.length === 0) return undefined;
  const svg = linePlot({
    title: 'Token accuracy and exact match',
    description:
      'Validation rows: label tokens, and whole answers, that were the likeliest, given the right tokens before them.',
    x: step,
    y: { label: 'share', percent: true, from: 0, to: 1 },
    series: [
      { name: 'tokens', points: tokens, color: 0 },
      { name: 'whole answers', points: exact, color: 2 },
    ],
    shown: shownProbability,
    width: 640,
    height: 260,
  });
  return { name: 'accuracy', svg };
}

/** What the model says itself, beside what somebody scores who never looks. */
export function answersPlot(story: RunStory): NamedPlot | undefined {
  const evaluations = evaluationsOf(story).filter((point) => point.answers);
  const last = evaluations.at(-1)?.answers;
  if (!last) return undefined;
  const svg = linePlot({
    title: 'Answers given',
    description: `${count(last.answers, 'answer')} to ${count(last.rows, 'validation row')}, always the same; nothing given but picture and question. Shaded: 95 of 100 resamples.`,
    x: step,
    y: { label: 'share', percent: true, from: 0, to: 1 },
    series: [
      {
        name: 'right',
        points: curve(evaluations, ({ answers }) => answers?.exactMatch),
        interval: evaluations.flatMap(({ step: x, answers }) =>
          answers?.interval ? [{ x, ...answers.interval }] : [],
        ),
        color: 0,
      },
      { name: 'token F1', points: curve(evaluations, ({ answers }) => answers?.f1), color: 2 },
    ],
    lines: [{ y: last.floor, label: 'floor' }],
    shown: shownProbability,
    width: 640,
    height: 260,
  });
  return { name: 'answers', svg };
}

export function gradientPlot(story: RunStory): NamedPlot | undefined {
  const points = curve(story.steps, (point) => point.gradNorm);
  if (points.length === 0) return undefined;
  const most = story.record?.config?.resolved?.train?.maxGradNorm;
  const svg = linePlot({
    title: 'Gradient norm',
    description: "Global 2-norm of the step's mean gradient, before clipping.",
    x: step,
    y: { label: 'norm, logarithmic', log: true },
    series: [{ name: 'norm', points, color: 0, smooth: true }],
    lines: most ? [{ y: most, label: 'clipped above' }] : [],
    width: 640,
    height: 260,
  });
  return { name: 'gradient-norm', svg };
}

export function gapPlot(story: RunStory): NamedPlot | undefined {
  const evaluations = evaluationsOf(story).filter((point) => point.gap);
  if (evaluations.length === 0) return undefined;
  const svg = linePlot({
    title: 'Gap between validation and training rows',
    description:
      'Both scored at the same step without dropout. Shaded: 95 of 100 bootstrap resamples of the pictures.',
    x: step,
    y: { label: 'validation less training, nats per label token', from: 0 },
    series: [
      {
        name: 'gap',
        points: curve(evaluations, ({ gap }) => gap?.value),
        interval: evaluations.map(({ step: x, gap }) => ({ x, low: gap!.low, high: gap!.high })),
        color: 0,
      },
    ],
    lines: [{ y: gapThreshold, label: 'threshold' }],
    width: 640,
    height: 260,
  });
  return { name: 'gap', svg };
}

export function calibrationPlot(story: RunStory): NamedPlot | undefined {
  const found = calibrationOf(heldOut(story, 'last'));
  if (!found) return undefined;
  const svg = reliabilityPlot({
    title: 'Calibration',
    description: `Expected calibration error ${figure(found.error)} over ${count(found.tokens, 'label token')} of validation rows.`,
    bins: found.bins,
  });
  return { name: 'calibration', svg };
}

const mostTypes = 20;

export function typesPlot(story: RunStory): NamedPlot | undefined {
  const types = lossByType(heldOut(story, 'last'));
  if (types.length === 0) return undefined;
  const shown = types.slice(0, mostTypes);
  const rest = types.length > shown.length ? ` The ${shown.length} commonest of ${types.length} types.` : '';
  const svg = dotPlot({
    title: 'Loss by question type',
    description: `Validation rows at the last evaluation; every mean weighs tokens.${rest}`,
    x: { label: 'loss, nats per token', from: 0 },
    names: ['answer tokens', 'all label tokens'],
    rows: shown.map((type) => ({
      label: type.type,
      note: count(type.rows, 'row'),
      values: [type.answerLoss, type.loss],
    })),
  });
  return { name: 'loss-by-type', svg };
}

export function memoryPlot({ steps }: RunStory): NamedPlot | undefined {
  return measured(steps, 'memory', {
    title: 'Memory',
    description: 'What the process holds, mapped weights counted as far as they were touched.',
    name: 'held',
    label: 'GB',
    read: (point) => point.memory && point.memory / 1e9,
  });
}

export function speedPlot({ steps }: RunStory): NamedPlot | undefined {
  return measured(steps, 'speed', {
    title: 'Speed',
    description: 'Over the last steps, without evaluations; tokens of pictures counted.',
    name: 'speed',
    label: 'tokens per second',
    read: (point) => point.tokensPerSecond,
  });
}

interface Measured {
  title: string;
  description: string;
  name: string;
  label: string;
  read: (point: StepPoint) => number | undefined;
}

function measured(steps: readonly StepPoint[], name: string, what: Measured): NamedPlot | undefined {
  const points = curve(steps, what.read);
  if (points.length === 0) return undefined;
  const svg = linePlot({
    title: what.title,
    description: what.description,
    x: step,
    y: { label: what.label, from: 0 },
    series: [{ name: what.name, points, color: 0 }],
    width: 640,
    height: 200,
  });
  return { name, svg };
}
