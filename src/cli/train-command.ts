import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { LorikeetError } from '../errors.ts';
import { listCheckpoints } from '../train/checkpoints/checkpoint-files.ts';
import { loadRepeat } from '../train/repeat.ts';
import { readRunRecord } from '../train/run-folder.ts';
import { train } from '../trainer/train.ts';
import { shortPath } from '../words.ts';
import { configWords } from './config-words.ts';
import { createProgress } from './progress.ts';
import { resumeCommand } from './resume-command.ts';
import { stopOnSignals } from './signals.ts';

export interface TrainCommandOptions {
  set?: string[];
  overwrite?: boolean;
  resume?: true | string;
  /** The `run.json` of a run that is repeated. */
  from?: string;
}

/** Runs `lorikeet train` and gives the exit code: 0 where the run finished, 130 where Ctrl-C stopped it. */
export async function trainCommand(file: string | undefined, given: TrainCommandOptions): Promise<number> {
  const { source, options } = sourceOf(file, given);
  const config = await load(source);
  const { output } = config.config;
  const progress = createProgress(process.stdout);
  const stop = stopOnSignals(() =>
    progress.line('Stopping after the micro-batch under way. Once more stops at once.'),
  );
  const { overwrite, resume } = options;
  let finished = false;
  let told = false;
  let steps = 0;
  let started = false;
  try {
    for await (const event of train(config, { signal: stop.signal, overwrite, resume })) {
      started ||= event.type === 'start';
      // Where a run was finished before, its notice has said so.
      if (started || event.type !== 'finish') progress.show(event);
      if (event.type === 'step' || event.type === 'finish') steps = event.step;
      if (event.type !== 'finish') continue;
      told = true;
      finished = event.status === 'finished';
    }
  } catch (error) {
    progress.end();
    if (steps > 0) tellWhatIsKept(output, resumeCommand(source));
    throw error;
  } finally {
    progress.end();
    stop.release();
  }
  if (!told) process.stdout.write('Stopped before the first step; nothing was written.\n');
  if (told && !finished) process.stdout.write(`Resume ${resumeCommand(source)}${fromWhere(output, steps)}\n`);
  return finished ? 0 : stop.exitCode() || 1;
}

/** Where the words of a run come from. */
export interface ConfigSource {
  file?: string;
  from?: string;
  set: string[];
}

function sourceOf(file: string | undefined, given: TrainCommandOptions) {
  const options = { ...given };
  // `--resume vqa.yaml` takes the file for a checkpoint, which is a folder.
  if (
    file === undefined &&
    typeof options.resume === 'string' &&
    /\.(ya?ml|json|[mc]?[tj]s)$/.test(options.resume)
  ) {
    file = options.resume;
    options.resume = true;
  }
  const { from, set } = given;
  if (from === undefined) return { source: configWords('train', file, set) as ConfigSource, options };
  if (file === undefined) return { source: { from, set: set ?? [] }, options };
  throw new LorikeetError('config', {
    what: 'a config file and --from exclude each other',
    fix: 'Keep one: --from repeats the run of a run.json, words of which --set changes.',
  });
}

function load({ file, from, set }: ConfigSource): Promise<LoadedConfig> {
  return from === undefined ? loadConfig(file!, { set }) : loadRepeat(from, { set });
}

/** Nothing where it goes on from the step that it stopped at, as it does but for checkpoints that are off or found no room. */
function fromWhere(output: string, stopped: number): string {
  const step = listCheckpoints(output)[0]?.step ?? 0;
  return step === stopped ? '' : `  (from step ${step})`;
}

function tellWhatIsKept(output: string, resume: string): void {
  const step = readRunRecord(output)?.adapterStep;
  if (step)
    process.stdout.write(`\nKept   ${shortPath(output)}/adapter  (what was learned up to step ${step})\n`);
  const [newest] = listCheckpoints(output);
  if (newest) process.stdout.write(`Resume ${resume}  (from step ${newest.step})\n`);
}
