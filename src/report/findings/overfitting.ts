import { count, figure } from '../../words.ts';
import { type Rise, riseOf } from '../curves.ts';
import type { Finding } from '../findings.ts';
import { metricWords } from '../glossary.ts';
import type { RunStory } from '../run-story.ts';
import { difference, mean, weight } from '../statistics.ts';

/** The one threshold of the gap between validation and training loss, nats per label token. */
export const gapThreshold = 0.2;

/** The model learns its training rows by heart, or was best long before the end. */
export function overfittingFindings(story: RunStory): Finding[] {
  const rise = riseOf(story.evaluations);
  const gap = gapEvidence(story);
  const fall = rise && trainingFall(story, rise);
  if (gap.isAbove || fall) return [overfitting(story, rise && fall ? [riseText(rise), fall] : [], gap.text)];
  return [...(gap.wasThere ? [splitsDiffer(gap.text)] : []), ...(rise ? [bestEarly(story, rise)] : [])];
}

/** The lowest loss need not be what chose it. */
function useBest({ finish }: RunStory): string {
  const metric = finish?.best?.metric ?? 'loss';
  if (metric === 'loss') return 'Use the adapter in best/.';
  return `The adapter in best/ is the one with the best ${metricWords[metric]}; train.bestBy: loss keeps this one.`;
}

function overfitting(story: RunStory, curves: string[], gap: string | undefined): Finding {
  return {
    kind: 'overfitting',
    title: 'The model does better on rows it trained on than on new ones',
    evidence: [...curves, ...(gap ? [gap] : [])].join(' '),
    suggestion:
      `${useBest(story)} For the next run: fewer train.epochs, more rows, a lower lora.rank or ` +
      'train.learningRate, or some lora.dropout (0.05 to 0.1).',
  };
}

interface GapEvidence {
  /** The gap is above the threshold, interval and all, and most of it came with training. */
  isAbove: boolean;
  /** Most of it was there before step 1. */
  wasThere: boolean;
  text?: string;
}

function gapEvidence({ evaluations, baseline }: RunStory): GapEvidence {
  const last = evaluations.at(-1);
  const isLasting = evaluations.slice(-2).every(({ gap }) => gap !== undefined && gap.value > gapThreshold);
  if (!last?.gap || last.gap.low <= gapThreshold || !isLasting) return { isAbove: false, wasThere: false };
  const { value, low, high } = last.gap;
  // Of the same rows, so that what the splits have between them from the start is in both.
  const grown = baseline?.gap ? value - baseline.gap.value : value;
  const before = baseline?.gap
    ? ` Before step 1 it was ${figure(baseline.gap.value)} (${figure(baseline.gap.low)} to ${figure(baseline.gap.high)}).`
    : '';
  const text =
    `At step ${last.step} the validation loss lies ${figure(value)} above that of the training rows ` +
    `(95 % interval ${figure(low)} to ${figure(high)}; threshold ${gapThreshold}).${before}`;
  const isAbove = grown > value / 2;
  return { isAbove, wasThere: !isAbove && baseline!.gap!.low > gapThreshold, text };
}

function splitsDiffer(evidence = ''): Finding {
  return {
    kind: 'splits-differ',
    title: 'Validation rows were the harder ones before training began',
    evidence,
    suggestion:
      'The gap is one between the splits, not one of memory: draw data.train and data.validation from the same source, ' +
      'or read the gap as its change since step 1.',
  };
}

function riseText({ best, last, rise, noise }: Rise): string {
  return (
    `The validation loss was lowest at step ${best.step} (${figure(best.loss)}) and has risen by ${figure(rise)} since ` +
    `(${figure(last.loss)} at step ${last.step}; one evaluation scatters by ${figure(noise)}).`
  );
}

/** What training did while validation rose, where it clearly fell. */
function trainingFall({ steps }: RunStory, { best, last, atBest, atEnd }: Rise): string | undefined {
  const scored = [atBest, atEnd].map((points) => points.flatMap(({ train }) => (train ? [train.loss] : [])));
  if (scored.every((losses) => losses.length > 0)) {
    const [before, after] = scored.map((losses) => mean(losses).value);
    const hasFallen = after <= 0.97 * before;
    if (!hasFallen) return undefined;
    return `The loss of the training rows that are scored beside it fell from ${figure(before)} to ${figure(after)}.`;
  }
  const span = last.step - best.step;
  const within = (to: number) => steps.filter(({ step }) => step > to - span / 2 && step <= to + span / 2);
  const [before, after] = [within(best.step), within(last.step)].map((part) => part.map(({ loss }) => loss));
  if (before.length < 10 || after.length < 10) return undefined;
  const [a, b] = [mean(before), mean(after)];
  const hasFallen = weight(difference(b, a)) <= -4;
  if (!hasFallen) return undefined;
  return `The training loss fell in that time, from ${figure(a.value)} to ${figure(b.value)}.`;
}

function bestEarly(story: RunStory, rise: Rise): Finding {
  return {
    kind: 'best-early',
    title: 'The best adapter came long before the end',
    evidence: `${riseText(rise)} ${count(story.evaluations.length, 'evaluation')} in all.`,
    suggestion: `${useBest(story)} For the next run: fewer train.epochs, or a lower train.learningRate.`,
  };
}
