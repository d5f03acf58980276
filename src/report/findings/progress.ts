import { count, figure, percent } from '../../words.ts';
import type { Finding } from '../findings.ts';
import type { EvaluationPoint, RunStory } from '../run-story.ts';
import { mean, tokenMean } from '../statistics.ts';
import { gapThreshold } from './overfitting.ts';
import { isStuckAtUniform } from './rate.ts';

/** Whether training went anywhere: nowhere from the start, never past the base, or not far enough. */
export function progressFindings(story: RunStory): Finding[] {
  return [...stuckAtUniform(story), ...neverBetter(story), ...underfitting(story), ...stillImproving(story)];
}

function stuckAtUniform(story: RunStory): Finding[] {
  if (!isStuckAtUniform(story)) return [];
  const { vocabulary } = story.record!.base!;
  const level = mean(story.steps.slice(-Math.max(5, story.steps.length >> 2)).map(({ loss }) => loss)).value;
  return [
    {
      kind: 'stuck-at-uniform',
      title: 'The loss stays where guessing any word of the vocabulary would be',
      evidence: `The training loss ends at ${figure(level)}; ln ${vocabulary} = ${figure(Math.log(vocabulary))}.`,
      suggestion:
        'The base does not predict text at all: check that `model` holds trained weights and the tokenizer that belongs ' +
        'to them. A language model starts far below this.',
    },
  ];
}

const validationRows = (story: RunStory, which: 'start' | 'last') =>
  story.scores[which].filter(({ split }) => split === 'validation');

/** Clusters of rows below which an interval says nothing. */
const leastClusters = 10;

function neverBetter(story: RunStory): Finding[] {
  const { baseline, evaluations, status } = story;
  if (!baseline || status === 'running' || evaluations.length === 0) return [];
  if (evaluations.some(({ loss }) => loss <= baseline.loss)) return [];
  const change = changeSinceStart(story);
  const isWorse = change
    ? change.clusters >= leastClusters && change.value - 1.96 * change.error > 0
    : evaluations.length >= 3 && evaluations.every(({ loss }) => loss > 1.05 * baseline.loss);
  if (!isWorse) return [];
  const least = evaluations.reduce((best, point) => (point.loss < best.loss ? point : best));
  const interval = change
    ? ` The same rows cost ${figure(change.value)} more at the end than before step 1 (95 % interval ` +
      `${figure(change.value - 1.96 * change.error)} to ${figure(change.value + 1.96 * change.error)}).`
    : '';
  return [
    {
      kind: 'never-better',
      title: 'No evaluation was better than the base',
      evidence:
        `The base's validation loss was ${figure(baseline.loss)}; the lowest of ${count(evaluations.length, 'evaluation')} ` +
        `is ${figure(least.loss)}, at step ${least.step}.${interval}`,
      suggestion:
        'Keep the base as it is. For the next run lower train.learningRate, and see with `lorikeet inspect` whether ' +
        'training and validation answers are written alike.',
    },
  ];
}

/** Validation loss at the last evaluation less that before step 1, token by token over the rows of both. */
function changeSinceStart(story: RunStory) {
  const before = new Map(validationRows(story, 'start').map((row) => [row.row, row]));
  return tokenMean(validationRows(story, 'last'), ({ loss }, t, { row, tokens }) => {
    const start = before.get(row);
    return start?.tokens.length === tokens.length ? loss - start.tokens[t].loss : undefined;
  });
}

function underfitting(story: RunStory): Finding[] {
  const chance = story.record?.check?.chance?.answers;
  const last = story.evaluations.at(-1);
  const trained = last?.train?.answerLoss;
  if (chance === undefined || !last || trained == null || story.status !== 'finished') return [];
  const answers = tokenMean(validationRows(story, 'last'), ({ loss, kind }) =>
    kind === 'answer' ? loss : undefined,
  );
  if (!answers || answers.clusters < leastClusters) return [];
  const low = answers.value - 1.96 * answers.error;
  const isEverBetter = story.evaluations.some(({ answerLoss }) => answerLoss != null && answerLoss < chance);
  const isWorse = low > chance && trained > chance && !isEverBetter;
  if (!isWorse || isStuckAtUniform(story)) return [];
  return [
    {
      kind: 'underfitting',
      title: 'The answers cost more than guessing them without picture or question',
      evidence:
        `At the end an answer token costs ${figure(answers.value)} on validation rows (95 % interval from ${figure(low)}) ` +
        `and ${figure(trained)} on training rows; guessing by how often each answer is given costs ${figure(chance)}.`,
      suggestion:
        'Train longer (train.epochs) or with a higher train.learningRate; then a higher lora.rank or more ' +
        'lora.targetModules. `lorikeet inspect` shows which tokens cost the most.',
    },
  ];
}

function stillImproving({ evaluations, status }: RunStory): Finding[] {
  const last = evaluations.slice(-5);
  if (status !== 'finished' || last.length < 5 || !isFallingSteadily(last)) return [];
  if (last[4].gap && last[4].gap.high > gapThreshold) return [];
  const fall = 1 - last[4].loss / last[0].loss;
  return [
    {
      kind: 'still-improving',
      title: 'The validation loss was still falling at the end',
      evidence:
        `Each of the last five evaluations was lower than the one before: ${figure(last[0].loss)} at step ${last[0].step}, ` +
        `${figure(last[4].loss)} at step ${last[4].step}, ${percent(fall)} less.`,
      suggestion: 'More train.epochs, or a higher train.learningRate, would likely go further.',
    },
  ];
}

/** By at least 3 % over all, half of it in the second half, and by something at the end. */
function isFallingSteadily(points: readonly EvaluationPoint[]): boolean {
  const isFalling = points.every((point, i) => i === 0 || point.loss < points[i - 1].loss);
  const [first, , middle, before, end] = points.map(({ loss }) => loss);
  return isFalling && end < 0.97 * first && end < 0.985 * middle && end < 0.995 * before;
}
