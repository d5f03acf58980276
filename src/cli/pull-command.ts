import { LorikeetError } from '../errors.ts';
import { type Pulled, pull } from '../hub/pull.ts';
import { createPullProgress } from './pull-progress.ts';
import { stopOnSignals } from './signals.ts';

export interface PullCommandOptions {
  revision?: string;
}

/** Runs `lorikeet pull`: stdout gets the folder alone. Exits 130 where Ctrl-C stopped it. */
export async function pullCommand(id: string | undefined, { revision }: PullCommandOptions): Promise<number> {
  if (id === undefined) {
    throw new LorikeetError('hub', {
      what: 'the name of a model expected, got none',
      fix: 'lorikeet pull Qwen/Qwen2-VL-2B-Instruct',
    });
  }
  const progress = createPullProgress(process.stderr);
  const stop = stopOnSignals(() => progress.line('Stopping.'));
  let pulled: Pulled;
  try {
    pulled = await pull(id, { revision, signal: stop.signal, onEvent: progress.show });
  } catch (error) {
    progress.end();
    if (!stop.signal.aborted) throw error;
    process.stderr.write('Stopped. What arrived is kept: the same command goes on from there.\n');
    return stop.exitCode();
  } finally {
    stop.release();
  }
  progress.end();
  process.stderr.write(`Whole and checked. In a config: model: ${nameOf(pulled)}\n`);
  process.stdout.write(`${pulled.folder}\n`);
  return 0;
}

function nameOf({ id, revision }: Pulled): string {
  return revision === 'main' ? id : `${id}@${revision}`;
}
