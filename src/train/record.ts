import type { ScoredEvent } from './evaluate-step.ts';
import type { CheckpointEvent, NoticeEvent, SkipEvent, StartEvent } from './events.ts';
import type { LoopEvent, SaveEvent } from './loop.ts';
import type { RowScore } from './row-scores.ts';
import type { RunFolder } from './run-folder.ts';
import type { ScoredRow } from './score.ts';

/** The events that are lines of `metrics.jsonl`. */
const metrics: ReadonlySet<string> = new Set(['baseline', 'step', 'warning', 'evaluate', 'finish']);

type RunEvent = StartEvent | NoticeEvent | SkipEvent | LoopEvent;

/** A scored row as it is kept, and the pictures of those that people will look at. */
export type DescribeRows = (
  rows: readonly ScoredRow[],
  step: number,
  keepPicture: RunFolder['keepPicture'],
) => AsyncIterable<RowScore>;

/** Writes the parameters as they are now into an empty folder. */
export type WriteAdapter = (folder: string) => Promise<void>;

/** Writes a checkpoint of the parameters as they are now; a notice where that could not be done. */
export type SaveCheckpoint = (moment: SaveEvent) => Promise<CheckpointEvent | NoticeEvent>;

export interface RecordOptions {
  folder: RunFolder;
  writeAdapter: WriteAdapter;
  describeRows: DescribeRows;
  saveCheckpoint: SaveCheckpoint;
  /** Steps that an interrupted run had done. */
  stepsBefore?: number;
}

/** What goes no further than the folder. */
type Inward = ScoredEvent | SaveEvent;

/**
 * Passes a run's events on and keeps the run folder true to them: `metrics.jsonl` by the line, `adapter/`, `best/`
 * and `scores/` at every evaluation, and at the end, however it comes, the state in `run.json`. What an evaluation
 * saw row by row goes no further than the folder.
 */
export async function* record(
  events: AsyncIterable<RunEvent>,
  { folder, writeAdapter, describeRows, saveCheckpoint, stepsBefore = 0 }: RecordOptions,
): AsyncGenerator<Exclude<RunEvent, Inward> | CheckpointEvent | NoticeEvent> {
  let lastStep = stepsBefore;
  let adapterStep: number | undefined;
  let ended = false;
  const end = async (changes: object) => {
    ended = true;
    await folder.update({ ...changes, adapterStep, endedAt: new Date().toISOString() });
  };
  const keepLast = async () => {
    await folder.replaceAdapter('last', writeAdapter);
    adapterStep = lastStep;
  };
  try {
    for await (const event of events) {
      if (event.type === 'scored') {
        const { step, rows } = event;
        await folder.replaceScores(
          step === 0 ? 'start' : 'last',
          describeRows(rows, step, folder.keepPicture),
        );
        continue;
      }
      if (event.type === 'save') {
        yield await saveCheckpoint(event);
        continue;
      }
      if (event.type === 'step') lastStep = event.step;
      if (event.type === 'evaluate' || event.type === 'finish') await keepLast();
      if (event.type === 'evaluate' && event.best) await folder.replaceAdapter('best', writeAdapter);
      if (event.type === 'skip') await folder.addSkipped(skippedRow(event));
      if (metrics.has(event.type)) await folder.appendMetrics(event, event.type !== 'step');
      if (event.type === 'finish') await end({ status: event.status, finish: event });
      yield event;
    }
  } catch (error) {
    // Parameters change only after a step's numbers were found good. The first error is the one to tell.
    if (lastStep > 0) await keepLast().catch(() => {});
    await end({ status: 'failed', error: String((error as Error)?.message ?? error) }).catch(() => {});
    throw error;
  } finally {
    if (!ended) await end({ status: 'stopped' }).catch(() => {});
    folder.close();
  }
}

function skippedRow({ split, row, reason }: SkipEvent) {
  return { split, row, reason };
}
