import { LorikeetError } from '../errors.ts';
import type { WholeCheckpoint } from './checkpoints/checkpoint-files.ts';
import { readTensors } from './checkpoints/tensors.ts';
import type { CompiledModel } from './compile.ts';
import type { NoticeEvent } from './events.ts';
import { identityDifferences, type RunIdentity } from './identity.ts';
import type { Plan } from './plan.ts';
import { anotherRun, machineChanges, notice, thisMachine } from './resume.ts';
import type { Interrupted } from './training-state.ts';

/**
 * Holds the run that is asked for against the one that was interrupted, and puts parameters and optimizer as they were.
 *
 * @throws LorikeetError 'run' where they differ in what must not change, with each difference.
 */
export async function* takeUp(
  checkpoint: WholeCheckpoint,
  { config, settings }: Plan,
  model: CompiledModel,
  identity: RunIdentity,
): AsyncGenerator<NoticeEvent, Interrupted> {
  const { path, state } = checkpoint;
  const differences = identityDifferences(state.identity, identity);
  if (differences.length > 0) throw anotherRun(config.output, differences);
  const { step } = state.training;
  if (step > settings.totalSteps) {
    throw new LorikeetError('run', {
      file: path,
      what: `at most ${settings.totalSteps} steps expected, which is what the config asks for now, got ${step}`,
      fix: 'Ask for more epochs or steps, or resume from an earlier checkpoint.',
    });
  }
  const changes = machineChanges(state.machine, thisMachine(model.threads));
  if (changes.length > 0) {
    yield notice(`${changes.join('; ')}: the last bits of sums may differ from what they would have been.`);
  }
  const optimizer = await readTensors(path, model.trainables, state);
  return { state: { ...state.training }, optimizer };
}
