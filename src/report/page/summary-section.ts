import { shownProbability } from '../../page/heat.ts';
import { type Content, type Html, html } from '../../page/html.ts';
import type { Best, DataSummary, Evaluation, Resumption } from '../../train/events.ts';
import { count, duration, figure, number, rate } from '../../words.ts';
import { bestFigure, lossAndAccuracy, metricWords } from '../glossary.ts';
import { distinctPictures } from '../methods/known-run.ts';
import type { FinishPoint, RunStory } from '../run-story.ts';
import { facts, type Section } from './section.ts';

/** What run this is, how it ended, and its figures before and after. */
export function summarySection(story: RunStory): Section {
  const { name, status } = story;
  return {
    id: 'summary',
    title: name,
    html: String(html`<section id="summary">
<p class="kicker">Run report<span class="status ${status}">${statusNames[status]}</span></p>
<h1 class="data">${name}</h1>
<p class="lead">${whatHappened(story)}</p>
${story.record?.error && html`<pre class="card error data">${story.record.error.slice(0, mostErrorText)}</pre>`}
${tiles(story)}
<div class="two">${settings(story)}</div>
</section>`),
  };
}

const mostErrorText = 4000;

const statusNames: Record<RunStory['status'], string> = {
  running: 'still going',
  finished: 'finished',
  stopped: 'stopped',
  failed: 'failed',
  unknown: 'state unknown',
};

const shownResumptions = 12;

function interruptions(resumed: Resumption[]): string {
  const steps = resumed.slice(-shownResumptions).map(({ step }) => number(step));
  const before = resumed.length > shownResumptions ? 'last ' : '';
  return `${count(resumed.length, 'time')}, and gone on with ${before}after step ${steps.join(', ')}`;
}

function whatHappened(story: RunStory): string {
  const { status, record, finish, steps } = story;
  const done = finish?.step ?? steps.at(-1)?.step ?? 0;
  const total = finish?.totalSteps ?? record?.totalSteps;
  const progress = total === undefined ? count(done, 'step') : `${number(done)} of ${count(total, 'step')}`;
  const seconds = finish?.seconds ?? steps.at(-1)?.seconds;
  const time = seconds === undefined ? '' : ` in ${duration(seconds)}`;
  const left = steps.at(-1)?.secondsLeft;
  switch (status) {
    case 'finished':
      return finish?.stoppedEarly ? endedEarly(finish, progress, time) : `It finished: ${progress}${time}.`;
    case 'stopped':
      return `It was stopped after ${progress}${time}.`;
    case 'failed':
      return `It failed after ${progress}${time}${record?.error ? ':' : '.'}`;
    case 'running':
      return `By its files it is still going: ${progress}${time}${left === undefined ? '' : `, about ${duration(left)} left`}.`;
    default:
      return `Its files do not say whether it ended; they tell of ${progress}${time}.`;
  }
}

function endedEarly({ stoppedEarly, best }: FinishPoint, progress: string, time: string): string {
  const { patience, bestStep } = stoppedEarly!;
  const what = best ? `The ${metricWords[best.metric]}` : 'Validation';
  return (
    `It finished early: ${progress}${time}. ${what} was best at step ${number(bestStep)} and no better in ` +
    `${count(patience, 'evaluation')} since (train.patience).`
  );
}

interface Tile {
  name: string;
  read: (point: Partial<Evaluation>) => number | null | undefined;
  shown: (value: number) => string;
  /** What it is to be held against beside the value before training. */
  beside?: (point: Partial<Evaluation>) => string | undefined;
}

const tilesShown: Tile[] = [
  { name: 'validation loss', read: (point) => point.loss, shown: figure },
  { name: 'answer loss', read: (point) => point.answerLoss, shown: figure },
  { name: 'token accuracy', read: (point) => point.tokenAccuracy, shown: shownProbability },
  { name: 'exact match', read: (point) => point.exactMatch, shown: shownProbability },
  { name: 'calibration error', read: (point) => point.calibrationError, shown: figure },
  {
    name: 'answered right',
    read: (point) => point.answers?.exactMatch,
    shown: shownProbability,
    beside: ({ answers }) => answers && `floor ${shownProbability(answers.floor)}`,
  },
];

function tiles(story: RunStory): Content {
  const last = story.evaluations.at(-1);
  const end = last ?? story.baseline;
  if (!end) return undefined;
  const shown = tilesShown.flatMap(({ name, read, shown, beside }): Html[] => {
    const value = read(end);
    if (typeof value !== 'number') return [];
    const before = last && story.baseline ? read(story.baseline) : undefined;
    const then =
      typeof before === 'number' ? `${shown(before)} before training` : last ? '' : 'before training';
    const note = [then, beside?.(end)].filter(Boolean).join(', ');
    return [
      html`<div class="tile"><dt>${name}</dt><dd><b>${shown(value)}</b><small>${note}</small></dd></div>`,
    ];
  });
  return html`<dl class="tiles">${shown}</dl><p class="quiet"><small>${meaningOf(story, end.step)}</small></p>`;
}

/** What the figures are, as far as the files say it. */
function meaningOf({ source }: RunStory, step: number): string {
  if (source === 'huggingface')
    return `At step ${number(step)}, as the Trainer logged it; which tokens it was averaged over, and how, is not recorded.`;
  return `Validation rows at step ${number(step)}. The natural logarithm; every mean weighs label tokens. ${lossAndAccuracy.short}`;
}

function settings(story: RunStory): Html {
  const { record, adapterConfig } = story;
  if (story.source === 'huggingface') return huggingFaceFacts(adapterConfig);
  const { base, trained, data, lora, versions, platform } = record ?? {};
  const train = record?.config?.resolved?.train;
  return facts([
    ['Model', record?.model],
    [
      'Base',
      base && `${base.modelType}, ${count(base.parameters, 'parameter')}, ${base.dtypes.join(' and ')}`,
    ],
    [
      'Trained',
      trained &&
        `${methodWords(story)}: ${count(trained.parameters, 'parameter')} in ${count(trained.modules, 'module')}`,
    ],
    ['Scale', lora && `${figure(lora.scale)} at rank ${lora.rank}, alpha ${lora.alpha}`],
    [
      'Learning rate',
      train?.learningRate !== undefined &&
        `${rate(train.learningRate)}${train.schedule ? `, ${train.schedule}` : ''}`,
    ],
    ['Training data', data && dataWords(data.train, distinctPictures(story, 'train'))],
    [
      'Validation data',
      data?.validation && dataWords(data.validation, distinctPictures(story, 'validation')),
    ],
    ['Epochs', record?.epochs],
    ['Best', story.finish?.best && bestWords(story.finish.best)],
    ['Seed', record?.seed],
    ['Started', record && when(record.startedAt)],
    ['Ended', record?.endedAt && when(record.endedAt)],
    ['Interrupted', record?.resumed && interruptions(record.resumed)],
    [
      'Machine',
      platform &&
        [platform.cpu, count(platform.cores, 'core'), platform.os, platform.arch].filter(Boolean).join(', '),
    ],
    [
      'Runs on',
      record?.device && `${record.device}${record.threads ? `, ${count(record.threads, 'thread')}` : ''}`,
    ],
    [
      'Versions',
      versions &&
        Object.entries(versions)
          .map(([what, version]) => `${what} ${version}`)
          .join(', '),
    ],
    ['Folder', story.folder],
  ]);
}

/** What stands in best/. */
function bestWords(best: Best): string {
  return `step ${number(best.step)}, by ${bestFigure(best)}`;
}

function methodWords({ record }: RunStory): string {
  if (record?.method === 'full') return 'chosen parameters, whole';
  return record?.lora?.rslora ? 'rsLoRA' : 'LoRA';
}

/** Pictures by content where the check told them apart, else the places in rows that hold one. */
function dataWords({ file, rows, images, labelTokens }: DataSummary, distinct: number | undefined): string {
  const pictures = distinct === undefined ? count(images, 'image') : count(distinct, 'picture');
  return `${file}: ${count(rows, 'row')}, ${pictures}, ${count(labelTokens, 'label token')}`;
}

function when(time: string): string {
  return time.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');
}

const adapterWords: [key: string, name: string][] = [
  ['base_model_name_or_path', 'Model'],
  ['peft_type', 'Method'],
  ['r', 'Rank'],
  ['lora_alpha', 'Alpha'],
  ['lora_dropout', 'Dropout'],
  ['use_rslora', 'rsLoRA'],
  ['target_modules', 'Targets'],
];

const mostValueText = 300;

function huggingFaceFacts(config: RunStory['adapterConfig'] = {}): Html {
  return facts(
    adapterWords.map(([key, name]) => {
      const value = Object.hasOwn(config, key) ? config[key] : undefined;
      if (value === undefined || value === null) return [name, undefined] as const;
      const text =
        typeof value === 'string' ? value : Array.isArray(value) ? value.join(', ') : JSON.stringify(value);
      return [name, text.slice(0, mostValueText)] as const;
    }),
  );
}
