import { count, figure, percent, rate } from '../../words.ts';
import { configOf, peakRate, quarters, warmSteps } from '../curves.ts';
import type { Finding } from '../findings.ts';
import type { RunStory } from '../run-story.ts';
import { difference, mean, median, slope, tokenMean, weight } from '../statistics.ts';

/** Steps too large, too small, or cut short nearly every time. */
export function rateFindings(story: RunStory): Finding[] {
  const high = tooHigh(story);
  return [...high, ...(high.length > 0 ? [] : tooLow(story)), ...clipping(story)];
}

function tooHigh(story: RunStory): Finding[] {
  const evidence = [lossOfNumbers(story), riseOfTraining(story), riseOfNorm(story), oscillation(story)];
  const found = evidence.filter((text) => text !== undefined);
  if (found.length === 0) return [];
  return [
    {
      kind: 'rate-too-high',
      title: 'The learning rate looks too high',
      evidence: found.join(' '),
      suggestion: `Lower train.learningRate${peakText(story)}: a third of it is a usual next try. train.warmupSteps eases the first steps.`,
    },
  ];
}

function peakText(story: RunStory): string {
  const peak = peakRate(story);
  return peak === undefined ? '' : ` (it was ${rate(peak)})`;
}

function lossOfNumbers({ status, record, steps }: RunStory): string | undefined {
  if (status !== 'failed' || !/\bfinite\b/.test(record?.error ?? '')) return undefined;
  return `After step ${steps.at(-1)?.step ?? 0} a loss or gradient was not finite any more and the run failed.`;
}

/** Rows in the file's order may simply grow harder. */
const isShuffled = (story: RunStory) => configOf(story).train?.shuffle !== false;

function riseOfTraining(story: RunStory): string | undefined {
  const parts = quarters(warmSteps(story));
  if (!parts || !isShuffled(story)) return undefined;
  const lowest = parts.reduce((least, part) => (part.value < least.value ? part : least));
  const last = parts[3];
  const rise = difference(last, lowest);
  const isClear = weight(rise) >= 5 && rise.value >= 0.2 * lowest.value;
  if (!isClear) return undefined;
  return (
    `The training loss rose: a mean of ${figure(lowest.value)} over steps ${span(lowest.steps)}, ` +
    `${figure(last.value)} over steps ${span(last.steps)}, ${weight(rise).toFixed(0)} times its standard error.`
  );
}

function riseOfNorm(story: RunStory): string | undefined {
  const parts = quarters(warmSteps(story));
  if (!parts || !isShuffled(story)) return undefined;
  const norms = parts.map(({ steps }) =>
    steps.flatMap(({ gradNorm }) => (gradNorm === undefined ? [] : [gradNorm])),
  );
  if (norms.some((values) => values.length < 10)) return undefined;
  const medians = norms.map(median);
  const [first, last] = [Math.min(...medians.slice(0, 3)), medians[3]];
  // A norm that grows while the loss falls is how low-rank adapters begin.
  const hasGrown = last >= 10 * first && weight(difference(parts[0], parts[3])) <= 3;
  if (!hasGrown) return undefined;
  return `The gradient norm's median grew from ${figure(first)} to ${figure(last)} while the loss did not fall.`;
}

function span(steps: { step: number }[]): string {
  return `${steps[0].step} to ${steps.at(-1)!.step}`;
}

/**
 * The same rows every time, so that up and down is the model's doing: most steps of the curve turn back, and are larger than
 * what drawing other rows would change.
 */
function oscillation({ evaluations, scores }: RunStory): string | undefined {
  if (evaluations.length < 8) return undefined;
  const losses = evaluations.map(({ loss }) => loss);
  const moves = losses.slice(1).map((loss, i) => loss - losses[i]);
  const turns = moves.slice(1).filter((move, i) => move * moves[i] < 0).length;
  const size = median(moves.map(Math.abs));
  const drawn = tokenMean(
    scores.last.filter(({ split }) => split === 'validation'),
    ({ loss }) => loss,
  );
  const isLarge = size > 0.25 * median(losses) && drawn !== undefined && size > 3 * drawn.error;
  if (turns < 0.6 * (moves.length - 1) || !isLarge) return undefined;
  return (
    `The validation loss swings by ${figure(size)} from one evaluation to the next and turns back ${turns} times in ` +
    `${count(evaluations.length, 'evaluation')}.`
  );
}

/** A fall below this share of the loss is none. */
const hardlyMoved = 0.03;
/** Rates up to here are known to be slow for a fresh adapter, or for whole parameters. */
const slowRates = { lora: 5e-5, full: 5e-6 };

function tooLow(story: RunStory): Finding[] {
  const { status, baseline, record } = story;
  const isKnown = (baseline?.exactMatch ?? 0) > 0.9; // nothing was left to learn
  if (status !== 'finished' || isKnown || isStuckAtUniform(story)) return [];
  const evidence = validationStill(story) ?? trainingStill(story);
  if (evidence === undefined) return [];
  const peak = peakRate(story);
  const isSlow = peak !== undefined && peak <= slowRates[record?.method ?? 'lora'];
  const rateText = peak === undefined ? '' : ` The learning rate was ${rate(peak)} at its highest.`;
  return [
    isSlow
      ? {
          kind: 'rate-too-low',
          title: 'The learning rate looks too low',
          evidence: evidence + rateText,
          suggestion: `Raise train.learningRate: ${record?.method === 'full' ? '1e-5' : '1e-4'} is usual here.`,
        }
      : {
          kind: 'flat',
          title: 'The loss hardly moved',
          evidence: evidence + rateText,
          suggestion:
            'Look at rows with `lorikeet inspect`: do pictures, questions and answers belong together? Then try more ' +
            'lora.targetModules, a higher lora.rank or another train.learningRate.',
        },
  ];
}

/** The same rows from before step 1 to the end, so that nothing but the model could have moved them. */
function validationStill({ baseline, evaluations, steps }: RunStory): string | undefined {
  const parts = quarters(steps);
  if (!baseline || evaluations.length < 3 || !parts) return undefined;
  const least = evaluations.reduce((lowest, { loss }) => Math.min(lowest, loss), baseline.loss);
  const trained = weight(difference(parts[0], parts[3]));
  const isStill = baseline.loss - least <= hardlyMoved * baseline.loss && trained <= 3;
  if (!isStill) return undefined;
  return (
    `The validation loss was ${figure(baseline.loss)} before step 1 and never below ${figure(least)} in ` +
    `${count(evaluations.length, 'evaluation')}; the training loss did not clearly fall either ` +
    `(${figure(parts[0].value)} over the first quarter, ${figure(parts[3].value)} over the last).`
  );
}

/** The most that the training loss can have fallen by, as a line and since its first steps. */
function trainingStill({ baseline, steps }: RunStory): string | undefined {
  if (baseline || quarters(steps) === undefined) return undefined;
  const losses = steps.map(({ loss }) => loss);
  const level = mean(losses).value;
  const line = slope([...steps.keys()], losses);
  const first = losses.slice(0, Math.max(10, Math.floor(losses.length / 10)));
  const since = difference(mean(first), mean(losses.slice(losses.length >> 1)));
  const most = Math.max(
    (-line.value + 2.6 * line.error) * (steps.length - 1),
    since.value + 2.6 * since.error,
  );
  const isStill = most <= hardlyMoved * level;
  if (!isStill) return undefined;
  return (
    `Over ${count(steps.length, 'step')} the training loss stayed at ${figure(level)}: whatever it fell by, it was less than ` +
    `${percent(Math.max(0, most) / level)} of it.`
  );
}

/** Within 5 % of ln V, the loss of guessing uniformly, from the first steps to the last. */
export function isStuckAtUniform({ steps, record }: RunStory): boolean {
  const vocabulary = record?.base?.vocabulary;
  if (vocabulary === undefined || vocabulary < 2 || steps.length < 10) return false;
  const uniform = Math.log(vocabulary);
  const part = Math.max(5, Math.floor(steps.length / 4));
  return [steps.slice(0, part), steps.slice(-part)].every((points) => {
    const { value } = mean(points.map(({ loss }) => loss));
    return Math.abs(value - uniform) < 0.05 * uniform;
  });
}

function clipping(story: RunStory): Finding[] {
  const limit = configOf(story).train?.maxGradNorm;
  const norms = warmSteps(story).flatMap(({ gradNorm }) => (gradNorm === undefined ? [] : [gradNorm]));
  if (!limit || norms.length < 50) return [];
  const clipped = norms.filter((norm) => norm > limit).length;
  const middle = median(norms);
  if (clipped < 0.95 * norms.length || middle < 2 * limit) return [];
  return [
    {
      kind: 'clipping',
      title: 'Clipping cut nearly every step short',
      evidence:
        `${clipped} of ${count(norms.length, 'step')} had a gradient norm above train.maxGradNorm ${limit}; ` +
        `their median is ${figure(middle)}.`,
      suggestion:
        'AdamW hardly minds a gradient that is always scaled alike, so this alone harms little; but clipping no longer ' +
        'tells a bad step from a good one. Raise train.maxGradNorm above the median, or lower train.learningRate if the loss jumps.',
    },
  ];
}
