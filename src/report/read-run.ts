import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { LorikeetError } from '../errors.ts';
import { runFiles } from '../train/run-folder.ts';
import { lorikeetVersion } from '../train/version.ts';
import { Unreadable } from './bounded-files.ts';
import { isHuggingFaceFolder, readHuggingFace } from './hugging-face.ts';
import { type Metrics, readMetrics } from './read-metrics.ts';
import { readRecord } from './read-record.ts';
import { readScorecards } from './read-scorecards.ts';
import { readPicture, readScores } from './read-scores.ts';
import type { RunStory } from './run-story.ts';

/**
 * Reads a run folder, finished, crashed or still going, its own or copied from elsewhere; or the output folder of the
 * Hugging Face Trainer. What is not there or cannot be read is left out and told in `missing`; no path that the
 * files name is followed.
 *
 * @throws LorikeetError 'run' where the folder is neither.
 */
export function readRun(folder: string): RunStory {
  const path = resolve(folder);
  checkFolder(path, folder);
  const record = attempt(() => readRecord(path));
  const metrics = attempt(() => readMetrics(join(path, runFiles.metrics)));
  const isRun = record.value !== undefined || hasEvents(metrics.value);
  if (isRun) return storyOf(path, record, metrics);
  if (isHuggingFaceFolder(path)) return readHuggingFace(path);
  throw notARun(folder, record.problem, metrics.problem);
}

interface Attempt<T> {
  value?: T;
  problem?: Unreadable;
}

function attempt<T>(read: () => T): Attempt<T> {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof Unreadable) return { problem: error };
    throw error;
  }
}

function hasEvents(metrics: Metrics | undefined): boolean {
  return metrics !== undefined && metrics.steps.length + metrics.evaluations.length > 0;
}

function storyOf(
  folder: string,
  { value: read, problem: noRecord }: Attempt<ReturnType<typeof readRecord>>,
  { value: metrics, problem: noMetrics }: Attempt<Metrics>,
): RunStory {
  const record = read?.record;
  const [start, last] = (['start', 'last'] as const).map((which) => attempt(() => readScores(folder, which)));
  const scored = readScorecards(folder);
  const story: RunStory = {
    folder,
    name: basename(folder),
    source: 'lorikeet',
    status: record?.status ?? 'unknown',
    ...(record && { record }),
    ...(metrics?.baseline && { baseline: metrics.baseline }),
    steps: metrics?.steps ?? [],
    evaluations: metrics?.evaluations ?? [],
    ...(metrics && metrics.warnings.length > 0 && { warnings: metrics.warnings }),
    finish: metrics?.finish ?? record?.finish,
    scores: { start: start.value?.rows ?? [], last: last.value?.rows ?? [] },
    ...(scored.scorecards.length > 0 && { scorecards: scored.scorecards }),
    picture: (name) => readPicture(folder, name),
    missing: [],
    unknown: [],
  };
  story.missing = [
    ...(noRecord
      ? [`run.json ${noRecord.message}: settings, data and decisions of the run are unknown.`]
      : []),
    ...(read?.missing ?? []),
    ...versionTold(record?.versions?.lorikeet),
    ...(noMetrics ? [`metrics.jsonl ${noMetrics.message}: there are no curves.`] : []),
    ...(metrics?.missing ?? []),
    ...endTold(story),
    ...evaluationTold(story),
    ...scoresTold(story, 'start', start),
    ...scoresTold(story, 'last', last),
    ...scored.missing,
  ];
  return story;
}

function versionTold(version: string | undefined): string[] {
  const ours = lorikeetVersion();
  if (version === undefined || !isNewer(version, ours)) return [];
  return [
    `The run was written by Lorikeet ${version.slice(0, 40)}, this is ${ours}: what is new in it is not shown.`,
  ];
}

function isNewer(version: string, ours: string): boolean {
  const numbers = (text: string) => text.split('.').map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [numbers(version), numbers(ours)];
  const differs = [0, 1, 2].find((i) => (a[i] ?? 0) !== (b[i] ?? 0));
  return differs !== undefined && (a[differs] ?? 0) > (b[differs] ?? 0);
}

function endTold({ status, record, folder, steps, finish }: RunStory): string[] {
  const last = steps.at(-1)?.step ?? 0;
  const of = record?.totalSteps ? ` of ${record.totalSteps}` : '';
  if (status === 'running') {
    const when = lastWritten(folder);
    return [
      `The run was still going when its folder was last written${when ? `, ${when}` : ''}, at step ${last}${of}; ` +
        'whether it still is cannot be told from its files.',
    ];
  }
  if (status === 'failed')
    return [`The run failed at step ${last}${of}: ${record?.error ?? 'it does not say why'}`];
  return finish || status === 'unknown'
    ? []
    : [`The run ended without its last event, at step ${last}${of}.`];
}

function lastWritten(folder: string): string | undefined {
  const times = [runFiles.metrics, runFiles.record].flatMap((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return stat ? [stat.mtime.getTime()] : [];
  });
  return times.length > 0 ? `${new Date(Math.max(...times)).toISOString().slice(0, 19)}Z` : undefined;
}

function evaluationTold({ record, evaluations, baseline, status }: RunStory): string[] {
  const validated = record?.data ? record.data.validation !== undefined : evaluations.length > 0;
  if (!validated) {
    return record?.data
      ? ['The run had no validation data: nothing says how it does on rows it did not see.']
      : [];
  }
  const told: string[] = [];
  if (!baseline)
    told.push('The base was not evaluated before step 1: there is nothing to hold the figures against.');
  if (evaluations.length === 0 && status !== 'running') told.push('No evaluation was finished.');
  if (evaluations.length > 0 && evaluations.every(({ train }) => !train)) {
    told.push('Training rows were not scored beside the validation rows: the gap between them is unknown.');
  }
  return told;
}

function scoresTold(
  { evaluations, baseline }: RunStory,
  which: 'start' | 'last',
  { value, problem }: Attempt<ReturnType<typeof readScores>>,
): string[] {
  if (value) return value.missing;
  const isExpected = which === 'start' ? baseline !== undefined : evaluations.length > 0;
  if (!isExpected && problem?.isMissing) return [];
  const when = which === 'start' ? 'before step 1' : 'at the last evaluation';
  return [`scores/${which}.jsonl ${problem?.message}: what single tokens cost ${when} is unknown.`];
}

function checkFolder(path: string, given: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return;
  throw new LorikeetError('run', {
    file: given,
    what: `a run folder expected, got ${stat ? 'a file' : 'no such folder'}`,
    fix: 'Name the folder that `output` of the config names.',
  });
}

function notARun(folder: string, record?: Unreadable, metrics?: Unreadable): LorikeetError {
  const entries = attemptList(folder);
  const found =
    record && !record.isMissing
      ? `one whose run.json ${record.message}`
      : entries.length === 0
        ? 'an empty one'
        : `one with ${entries.slice(0, 5).join(', ')}${entries.length > 5 ? ' ...' : ''}`;
  const noCurves = metrics && !metrics.isMissing ? ` and metrics.jsonl ${metrics.message}` : '';
  return new LorikeetError('run', {
    file: folder,
    what: `a run folder (run.json, metrics.jsonl) or an output folder of the Hugging Face Trainer (trainer_state.json) expected, got ${found}${noCurves}`,
    fix: 'Name the folder that `output` of the config names.',
  });
}

function attemptList(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
