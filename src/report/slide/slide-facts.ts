/** What a slide says, in words and numbers; each from the run's files, none where they do not hold it. */
import { count, figure, number, percent } from '../../words.ts';
import {
  bestOf,
  distinctPictures,
  finalOf,
  loraOf,
  modelName,
  progressOf,
  rowsPerStep,
} from '../methods/known-run.ts';
import type { RunStory } from '../run-story.ts';

export interface SlideFigure {
  name: string;
  value: string;
  /** What it is to be held against. */
  beside: string;
}

export interface SlideFacts {
  title: string;
  subtitle: string;
  /** What the figures are of. */
  figuresOf: string;
  figures: SlideFigure[];
  /** How the run ended and what to keep in mind, the weightiest first. */
  notes: string[];
}

export function slideFacts(story: RunStory): SlideFacts {
  const last = finalOf(story);
  return {
    title: titleOf(story),
    subtitle: subtitleOf(story),
    figuresOf: last
      ? `${story.source === 'lorikeet' ? 'Validation' : 'Evaluation'} data, step ${last.step}`
      : 'Training rows',
    figures: last ? validationFigures(story) : trainingFigures(story),
    notes: notesOf(story),
  };
}

function titleOf(story: RunStory): string {
  const model = modelName(story) ?? 'A model';
  const rows = story.record?.data?.train.rows;
  return rows === undefined ? `${model}, fine-tuned` : `${model}, fine-tuned on ${count(rows, 'row')}`;
}

function subtitleOf(story: RunStory): string {
  const { record } = story;
  const lora = loraOf(story);
  const { step, of } = progressOf(story);
  const rows = rowsPerStep(story);
  const pictures = distinctPictures(story, 'train');
  const what = lora
    ? `LoRA, rank ${lora.rank}, alpha ${lora.alpha}${lora.rslora ? ', rank-stabilised' : ''}`
    : record?.method === 'full'
      ? 'Parameters trained whole'
      : undefined;
  const done =
    of !== undefined && of !== step ? `${number(step)} of ${count(of, 'step')}` : count(step, 'step');
  return [
    what,
    record?.trained && `${count(record.trained.parameters, 'parameter')} trained`,
    step > 0 && `${done}${rows === undefined ? '' : ` of ${count(rows, 'row')}`}`,
    pictures !== undefined && count(pictures, 'training picture'),
  ]
    .filter((part) => typeof part === 'string')
    .join('  ·  ');
}

function validationFigures(story: RunStory): SlideFigure[] {
  const last = finalOf(story)!;
  const { baseline, record } = story;
  const chance = record?.check?.chance;
  const base = (value: number | null | undefined, words: (value: number) => string) =>
    value == null ? 'base not measured' : `base ${words(value)}`;
  const guess = chance ? `, guessing ${figure(chance.answers)}` : '';
  const figures: (SlideFigure | false)[] = [
    { name: 'loss', value: figure(last.loss), beside: base(baseline?.loss, figure) },
    last.answerLoss != null && {
      name: 'answer loss',
      value: figure(last.answerLoss),
      beside: `${base(baseline?.answerLoss, figure)}${guess}`,
    },
    last.tokenAccuracy !== undefined && {
      name: 'token accuracy',
      value: percent(last.tokenAccuracy),
      beside: base(baseline?.tokenAccuracy, percent),
    },
    last.exactMatch !== undefined && {
      name: 'exact match',
      value: percent(last.exactMatch),
      beside: base(baseline?.exactMatch, percent),
    },
    last.gap !== undefined && {
      name: 'gap to training',
      value: figure(last.gap.value),
      beside: `95 % interval ${figure(last.gap.low)} to ${figure(last.gap.high)}`,
    },
  ];
  return figures.filter((one) => one !== false);
}

/** A curve's ends, where nothing else was measured. */
function trainingFigures({ steps }: RunStory): SlideFigure[] {
  if (steps.length === 0) return [];
  const some = Math.max(1, Math.min(20, Math.floor(steps.length / 4)));
  const meanOf = (part: typeof steps) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
  const first = figure(meanOf(steps.slice(0, some)));
  return [
    {
      name: `training loss, last ${count(some, 'step')}`,
      value: figure(meanOf(steps.slice(-some))),
      beside: `first ${count(some, 'step')} ${first}`,
    },
  ];
}

function notesOf(story: RunStory): string[] {
  const { status, record } = story;
  const { step, of } = progressOf(story);
  const early = story.finish?.stoppedEarly;
  const rows = record?.check?.splits.find(({ split }) => split === 'validation')?.rows;
  const both = record?.check?.shared;
  const asked = both ? both.same.rows + both.near.rows : 0;
  const best = bestOf(story);
  const last = finalOf(story);
  const ends = { stopped: 'was stopped', failed: 'failed', running: 'was still going when this was made' };
  return [
    status in ends && `The run ${ends[status as keyof typeof ends]}, after ${step} of ${of ?? 'its'} steps.`,
    early &&
      `The run ended early, after ${step} of ${of ?? 'its'} steps: no better in ${count(early.patience, 'evaluation')}.`,
    asked > 0 &&
      rows &&
      `${count(asked, 'validation row')} of ${number(rows)} ask about pictures that also stand in training.`,
    best &&
      last &&
      best.step !== last.step &&
      `The lowest validation loss, ${figure(best.loss)}, was that of step ${best.step}.`,
  ].filter((note) => typeof note === 'string');
}

/** `1,920 of 92,800 training tokens (2.1 %)`. */
export function labelShare({ record }: RunStory): string | undefined {
  const train = record?.data?.train;
  if (!train || train.tokens === 0) return undefined;
  return `${number(train.labelTokens)} of ${count(train.tokens, 'training token')} (${percent(train.labelTokens / train.tokens)})`;
}
