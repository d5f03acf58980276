/** An estimate as people read it. */
import type { LoadedConfig } from '../config/load.ts';
import type { DiskNeed } from '../train/disk-need.ts';
import type { EstimatedEvent, RunEstimate } from '../train/estimate.ts';
import type { MemoryNeed } from '../train/memory-need.ts';
import { count, duration, number, percent, shortPath, size } from '../words.ts';
import { dataLines, type Line, table } from './data-lines.ts';

export function describeEstimate({ config }: LoadedConfig, { data, estimate }: EstimatedEvent): string {
  const { warnings } = estimate;
  return table([
    ['Model', modelLine(config.model, estimate)],
    ...dataLines(data),
    ['Memory', memoryLine(estimate)],
    ...memoryParts(estimate),
    ['Cut', cutLine(estimate)],
    ['Disk', diskLine(estimate)],
    ['Time', timeLine(estimate)],
    ['Measured', speedLine(estimate)],
    ...warnings.map((text): Line => ['Note', text]),
    ...(estimate.refusal ? [refusalLine(estimate.refusal)] : []),
  ]);
}

function modelLine(model: string, { weights }: RunEstimate): string {
  const { bytes, dtypes, files, assumed } = weights;
  if (assumed)
    return `${shortPath(model)}, no weights here yet: ${size(bytes)} if they are ${assumed}, as config.json says`;
  return `${shortPath(model)}, ${size(bytes)} of ${dtypes.join(', ')} weights in ${count(files, 'file')}, mapped where they are`;
}

const limitNames = { memory: 'that `memory` allows', machine: 'that this machine has left' };

function memoryLine({ memory, limit, fits }: RunEstimate): string {
  return `${size(memory.total)} of ${size(limit.bytes)} ${limitNames[limit.from]}: ${fits ? 'fits' : 'does not fit'}; mapped weights are not counted`;
}

function memoryParts(estimate: RunEstimate): Line[] {
  const { memory } = estimate;
  const parts: [keyof MemoryNeed, string][] = [
    ['process', 'Node, the engine and its graphs, tokenizer, data'],
    ['trained', `${number(estimate.trained.numbers)} trained numbers`],
    ['optimizer', 'their gradient sums and two moments'],
    ['gradients', 'on their way back from the engine'],
    ['activations', activationWords(estimate)],
    ['evaluation', 'what scoring holds'],
    ['answers', 'what answering at evaluations holds, roughly (train.evaluateAnswers)'],
    ['vision', 'what the vision tower holds over the largest picture'],
    ['cache', 'what the tower made of pictures (cache.memory)'],
    ['pictures', 'decoded ahead, and as they are fed'],
  ];
  return parts
    .filter(([part]) => memory[part] > 0)
    .map(([part, text]) => [`  ${part}`, `${size(memory[part]).padStart(8)}  ${text}`]);
}

function activationWords({ activations, cut }: RunEstimate): string {
  return cut.recompute
    ? `computed again in the backward pass; ${size(activations.kept)} if kept`
    : `kept; ${size(activations.recompute)} with train.recompute`;
}

function cutLine({ cut: { recompute, maxTokens, cacheMemory }, memory }: RunEstimate): string {
  const pictures =
    memory.cache > 0 ? `, up to ${size(cacheMemory)} of pictures in memory (cache.memory)` : '';
  return `train.recompute ${recompute ? 'on' : 'off'}, up to ${number(maxTokens)} tokens a run (pack.maxTokens)${pictures}`;
}

const diskNames: Record<Exclude<keyof DiskNeed, 'total'>, string> = {
  adapters: 'adapters',
  checkpoints: 'checkpoints',
  story: 'curves and scores',
  cache: 'pictures in the cache',
};

function diskLine({ disk }: RunEstimate): string {
  const parts = (Object.keys(diskNames) as (keyof typeof diskNames)[])
    .filter((part) => disk[part] > 0)
    .map((part) => `${size(disk[part])} of ${diskNames[part]}`);
  return `${size(disk.total)} of ${size(disk.free)} free: ${parts.join(', ')}`;
}

function timeLine({ time, steps }: RunEstimate): string {
  const { vision, evaluation, evaluations } = time;
  const parts = [count(steps, 'step'), `${duration(time.secondsPerEpoch)} an epoch`];
  if (evaluations > 0)
    parts.push(`${duration(evaluation.seconds)} an evaluation (${count(evaluations, 'time')})`);
  if (vision.seconds > 0) {
    const when = vision.once ? 'once' : 'at every use, as they do not fit the cache';
    parts.push(`${duration(vision.seconds)} for ${count(vision.pictures, 'picture')}, ${when}`);
  }
  return `about ${duration(time.totalSeconds)} in all: ${parts.join(', ')}`;
}

function speedLine({ speed, time }: RunEstimate): string {
  const { threads, flopPerSecond, bytesPerSecond } = speed;
  return (
    `${(flopPerSecond / 1e9).toFixed(0)} GFLOP/s in products of this model's widths, ${(bytesPerSecond / 1e9).toFixed(0)} GB/s beside them, ` +
    `${count(threads, 'thread')}; ${percent(time.efficiency)} of the first is what the run is expected to keep up`
  );
}

function refusalLine({ what, fix, file = '', line, row }: NonNullable<RunEstimate['refusal']>): Line {
  const lineOf = line === undefined ? '' : `:${line}`;
  const place = row === undefined ? '' : `${shortPath(file)}${lineOf}, row ${row}: `;
  return ['Too large', `${place}${what}.${fix ? ` ${fix}` : ''}`];
}
