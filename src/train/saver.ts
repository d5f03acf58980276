/** From a moment of the loop to a checkpoint in the run folder. */
import type { CheckpointState } from './checkpoints/state-file.ts';
import { writeCheckpoint } from './checkpoints/write-checkpoint.ts';
import type { CompiledModel } from './compile.ts';
import type { RowSize } from './course.ts';
import type { RunIdentity } from './identity.ts';
import type { SaveEvent } from './loop.ts';
import { surveyedRows } from './lost-rows.ts';
import type { Plan, SplitPlan } from './plan.ts';
import type { SaveCheckpoint } from './record.ts';
import { notice, thisMachine } from './resume.ts';
import type { RowLoader } from './row-loader.ts';
import type { RunFolder } from './run-folder.ts';

export interface SplitRows extends RowLoader {
  split: SplitPlan;
  sizes: readonly RowSize[];
}

export interface SaverInput {
  plan: Plan;
  model: CompiledModel;
  folder: RunFolder;
  rows: readonly SplitRows[];
  identity: RunIdentity;
}

/**
 * A checkpoint that cannot be written (a full disk) does not end the run: the one before stays, and the next is tried in
 * its turn.
 */
export function createSaver({ plan, model, folder, rows, identity }: SaverInput): SaveCheckpoint {
  return async (moment) => {
    const { step } = moment.state;
    try {
      const state: CheckpointState = {
        training: moment.state,
        optimizer: optimizerOf(moment),
        written: folder.flushed(),
        ...lostOf(rows),
        identity,
        config: { ...plan.config },
        machine: thisMachine(model.threads),
      };
      const { trainables } = model;
      const contents = { state, trainables, optimizer: moment.optimizer, bestFiles: folder.bestFiles() };
      const path = await writeCheckpoint(folder.path, contents, plan.config.train.keep);
      return { type: 'checkpoint', step, path };
    } catch (error) {
      const { message } = error as Error;
      return notice(
        `The checkpoint of step ${step} could not be written: ${message}. Training goes on; the checkpoint before it stays.`,
      );
    }
  };
}

function lostOf(splits: readonly SplitRows[]): Pick<CheckpointState, 'lost'> {
  const losing = splits
    .filter(({ lost }) => lost().length > 0)
    .map(({ split, lost }) => ({ ...split, lost: lost() }));
  if (losing.length === 0) return {};
  return {
    lost: {
      rows: losing.flatMap(({ survey, lost }) => lost.map((row) => ({ split: survey.split, ...row }))),
      surveyed: Object.fromEntries(losing.map(({ survey }) => [survey.split, surveyedRows(survey)])),
    },
  };
}

function optimizerOf({ optimizer: { moments, ...settings } }: SaveEvent): CheckpointState['optimizer'] {
  const [first, second] = settings.betas;
  const steps = Object.fromEntries([...moments].map(([name, { step }]) => [name, step]));
  return { ...settings, betas: [first, second], steps };
}
