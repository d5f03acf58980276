import { loadConfig } from '../config/load.ts';
import { readRunRecord } from '../train/run-folder.ts';
import { train } from '../trainer/train.ts';
import { shortPath } from '../words.ts';
import { configWords } from './config-words.ts';
import { createProgress } from './progress.ts';
import { stopOnSignals } from './signals.ts';

export interface TrainCommandOptions {
  set?: string[];
  overwrite?: boolean;
}

/** Runs `lorikeet train` and gives the exit code: 0 where the run finished, 130 where Ctrl-C stopped it. */
export async function trainCommand(file: string | undefined, options: TrainCommandOptions): Promise<number> {
  const words = configWords('train', file, options.set);
  const config = await loadConfig(words.file, { set: words.set });
  const progress = createProgress(process.stdout);
  const stop = stopOnSignals(() =>
    progress.line('Stopping; what was learned is kept. Once more stops at once.'),
  );
  let finished = false;
  let told = false;
  let steps = 0;
  try {
    for await (const event of train(config, { signal: stop.signal, overwrite: options.overwrite })) {
      progress.show(event);
      if (event.type === 'step') steps = event.step;
      if (event.type !== 'finish') continue;
      told = true;
      finished = event.status === 'finished';
    }
  } catch (error) {
    progress.end();
    if (steps > 0) tellWhatIsKept(config.config.output);
    throw error;
  } finally {
    progress.end();
    stop.release();
  }
  if (!told) process.stdout.write('Stopped before the first step; nothing was written.\n');
  return finished ? 0 : stop.exitCode() || 1;
}

function tellWhatIsKept(output: string): void {
  const step = readRunRecord(output)?.adapterStep;
  if (!step) return;
  process.stdout.write(`\nKept   ${shortPath(output)}/adapter  (what was learned up to step ${step})\n`);
}
