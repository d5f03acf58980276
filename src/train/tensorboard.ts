/** A run's curves for TensorBoard: which figures of an event become scalars, and under which tags. */
import { openEventFile, type Scalar } from '../formats/tfevents.ts';
import type { Evaluation, GivenAnswers, Scores, StepEvent, TrainEvent } from './events.ts';

/** The scalars of an event at its step; none where the event has no curve. */
export function scalarsOf(event: TrainEvent): { step: number; scalars: Scalar[] } | undefined {
  switch (event.type) {
    case 'step':
      return { step: event.step, scalars: finite(stepScalars(event)) };
    case 'baseline':
    case 'evaluate':
      return { step: event.step, scalars: finite(evaluationScalars(event)) };
    default:
      return undefined;
  }
}

function stepScalars(event: StepEvent): [string, number | null][] {
  return [
    ['train/loss', event.loss],
    ['train/gradient_norm', event.gradNorm],
    ['train/learning_rate', event.learningRate],
    ['train/label_tokens', event.labelTokens],
    ['time/tokens_per_second', event.tokensPerSecond],
    ['time/memory_bytes', event.memory],
  ];
}

function evaluationScalars(event: Evaluation): [string, number | null][] {
  const { train, gap, answers } = event;
  return [
    ...scoreScalars('validation', event),
    ...(train ? scoreScalars('train_sample', train) : []),
    ...(gap ? gapScalars(gap) : []),
    ...(answers ? answerScalars(answers) : []),
  ];
}

/** `train_sample`: the training rows that every evaluation scores without dropout, unlike `train/loss`. */
function scoreScalars(split: string, scores: Scores): [string, number | null][] {
  return [
    [`${split}/loss`, scores.loss],
    [`${split}/answer_loss`, scores.answerLoss],
    [`${split}/token_accuracy`, scores.tokenAccuracy],
    [`${split}/exact_match`, scores.exactMatch],
    [`${split}/calibration_error`, scores.calibrationError],
  ];
}

function gapScalars({ value, low, high }: NonNullable<Evaluation['gap']>): [string, number][] {
  return [
    ['validation/gap', value],
    ['validation/gap_low', low],
    ['validation/gap_high', high],
  ];
}

/** Of answers that were given, unlike `validation/exact_match`. */
function answerScalars({ exactMatch, f1, floor }: GivenAnswers): [string, number][] {
  return [
    ['answers/exact_match', exactMatch],
    ['answers/f1', f1],
    ['answers/floor', floor],
  ];
}

function finite(named: [string, number | null][]): Scalar[] {
  return named.flatMap(([tag, value]) => (Number.isFinite(value) ? [{ tag, value: value as number }] : []));
}

/** The event file of a run. */
export interface ScalarLog {
  /** Writes the event's scalars, where it has any. */
  add(event: TrainEvent): void;
  /** Bytes of the file, once the disk has them. */
  flushed(): number;
  close(): void;
}

/**
 * Opens `file` new, or cut after its first `keep` bytes to go on from there. `now` gives seconds since 1970: timing, like the
 * other times that a run tells.
 */
export function openScalarLog(file: string, now = () => Date.now() / 1000, keep = 0): ScalarLog {
  const events = openEventFile(file, now(), keep);
  return {
    add(event) {
      const found = scalarsOf(event);
      if (found && found.scalars.length > 0) events.add({ ...found, wallTime: now() });
    },
    flushed: events.flushed,
    close: events.close,
  };
}
