import { basename } from 'node:path';

/** What stands in a run folder. Nothing else in it is ever touched. */
export const runFiles = {
  record: 'run.json',
  metrics: 'metrics.jsonl',
  last: 'adapter',
  best: 'best',
  /** What each scored row cost, before step 1 and at the last evaluation; `pictures/` beside them. */
  scores: 'scores',
  /** The curves once more, for TensorBoard. */
  tensorboard: 'events.out.tfevents.lorikeet',
  /** What an interrupted run goes on from, a folder for each of the last: `step-200`. */
  checkpoints: 'checkpoints',
} as const;

/** Of paths like `best/adapter_config.json`, the names directly in a folder. */
export function namesIn(folder: string, files: readonly string[] = []): string[] {
  return files.flatMap((name) => {
    const [first, file, ...deeper] = String(name).split('/');
    return first === folder && deeper.length === 0 && file !== '' && basename(file) === file ? [file] : [];
  });
}
