import type { StoredDType } from '../checkpoint/companions.ts';
import { type MergeOptions, merge } from '../checkpoint/merge.ts';
import { parseSize } from '../checkpoint/merge-plan.ts';
import type { MergeProgress, MergeReport } from '../checkpoint/merge-report.ts';
import { inGigabytes } from '../checkpoint/output-folder.ts';
import { count, duration, percent, shortPath } from '../words.ts';
import { stopOnSignals } from './signals.ts';
import { createStatusLine } from './status-line.ts';
import { someOf } from './table.ts';

export interface MergeCommandOptions {
  model: string;
  adapter: string;
  output: string;
  dtype: 'same' | StoredDType;
  maxShardSize?: string;
  overwrite?: boolean;
}

/** Runs `lorikeet merge` and gives the exit code: 0, or 130 where Ctrl-C stopped it. */
export function mergeCommand({ maxShardSize, ...options }: MergeCommandOptions): Promise<number> {
  const limit = maxShardSize === undefined ? {} : { maxShardSize: parseSize(maxShardSize) };
  return withProgress(async (watched) => describeMerge(await merge({ ...options, ...limit, ...watched })));
}

/** Writes a model while a line on stderr tells how far it is; its report goes to stdout. */
export async function withProgress(
  write: (watched: Pick<MergeOptions, 'signal' | 'onProgress'>) => Promise<string>,
): Promise<number> {
  const line = createStatusLine(process.stderr);
  const stop = stopOnSignals(() => line.clear());
  try {
    const report = await write({
      signal: stop.signal,
      onProgress: (progress) => line.show(progressLine(progress)),
    });
    line.clear();
    process.stdout.write(report);
    return 0;
  } catch (error) {
    line.clear();
    if (!stop.signal.aborted) throw error;
    process.stderr.write('Stopped; nothing was written.\n');
    return stop.exitCode();
  } finally {
    stop.release();
  }
}

const verbs = { check: 'reading the adapter', write: 'writing', verify: 'reading back' };

export function progressLine({ phase, bytes, totalBytes, secondsLeft }: MergeProgress): string {
  return `${verbs[phase]}  ${percent(bytes / totalBytes)}  ${duration(secondsLeft)} left`;
}

/** What was written, how true it is, and what to do where it is not true enough. */
export function describeMerge(report: MergeReport): string {
  const { output, files, bytes, tensors, dtypes, modules, seconds } = report;
  const lines = [
    `Merged ${count(modules.length, 'module')} in ${duration(seconds)}: ${shortPath(output)}`,
    `  ${count(tensors, 'tensor')} in ${count(files.length, 'file')}, ${inGigabytes(bytes)}, ${dtypes.join(' and ')}; read back and found as written`,
    ...describeRounding(report),
    ...describeUntrained(report),
  ];
  return `${lines.join('\n')}\n`;
}

export function describeUntrained({ untrained }: MergeReport): string[] {
  if (untrained.length === 0) return [];
  return [
    `  B is zero, so nothing was learned, in ${count(untrained.length, 'module')}: ${someOf(untrained)}`,
  ];
}

/** Beyond this a merged model may answer otherwise than base and adapter do. */
const largeError = 0.1;

export function describeRounding({ rounding, modules, dtypes }: MergeReport): string[] {
  if (!rounding) return ['  No module has an update: the merged model is the base.'];
  const worst = modules.reduce((a, b) => (b.relativeError > a.relativeError ? b : a));
  const lines = [
    `  Rounding moved the update by ${share(rounding.relativeError)} of its size (most in ${worst.name}: ${share(worst.relativeError)}); ` +
      `${percent(rounding.unmoved)} of its weights stayed as they were`,
  ];
  if (rounding.relativeError > largeError && dtypes.some((dtype) => dtype !== 'f32'))
    lines.push('  The update is small beside the steps of this type: --dtype f32 keeps it whole.');
  return lines;
}

const share = (value: number): string =>
  value < 0.0001
    ? value === 0
      ? '0 %'
      : `${(value * 100).toExponential(1)} %`
    : `${Number((value * 100).toPrecision(2))} %`;
