import { LorikeetError } from '../errors.ts';
import { clipFactor, globalNorm, scaleGradients } from '../optim/clip.ts';
import type { Gradients, Sample, Trainable } from './step.ts';

/** The gradient of the summed label losses of one optimizer step, as its micro-batches come in. */
export interface GradientSum {
  /** By parameter name, in arrays that are kept for the whole run. */
  values: Map<string, Float32Array>;
  loss: number;
  labelTokens: number;
}

export function createGradientSum(trainables: readonly Trainable[]): GradientSum {
  const values = new Map(trainables.map(({ name, values }) => [name, new Float32Array(values.length)]));
  return { values, loss: 0, labelTokens: 0 };
}

export function clearGradientSum(sum: GradientSum): void {
  for (const values of sum.values.values()) values.fill(0);
  sum.loss = 0;
  sum.labelTokens = 0;
}

/** Adds one micro-batch; stops at the first number that is not finite, with the rows it came from. */
export function addGradients(sum: GradientSum, samples: Sample[], result: Gradients, step: number): void {
  samples.forEach((sample, i) => {
    sum.loss += finiteLoss(sample, result.samples[i].losses, step);
    sum.labelTokens += result.samples[i].losses.length;
  });
  const rows = samples.map((sample) => sample.encoded.row);
  for (const [name, total] of sum.values) addGradient(name, total, result.gradients.get(name), step, rows);
}

/** The sum of a sample's label losses, natural log. */
export function finiteLoss(sample: Sample, losses: Float32Array, step: number): number {
  let sum = 0;
  for (let n = 0; n < losses.length; n++) sum += losses[n];
  if (Number.isFinite(sum)) return sum;
  throw notFinite('loss', sum, step, [sample.encoded.row]);
}

function addGradient(
  name: string,
  total: Float32Array,
  gradient: Float32Array | undefined,
  step: number,
  rows: number[],
): void {
  if (gradient?.length !== total.length) {
    throw new LorikeetError('graph', {
      tensor: name,
      what: `gradient expected ${total.length} values, got ${gradient?.length ?? 'none'}`,
    });
  }
  for (let i = 0; i < total.length; i++) {
    total[i] += gradient[i];
    if (!Number.isFinite(total[i])) throw notFinite(`gradient of ${name}`, total[i], step, rows);
  }
}

/** Turns the sum into the step's mean gradient, clipped to `maxNorm`; gives the norm before clipping. */
export function finishGradients(sum: GradientSum, maxNorm: number): number {
  const norm = globalNorm(sum.values) / sum.labelTokens;
  scaleGradients(sum.values, clipFactor(norm, maxNorm) / sum.labelTokens);
  return norm;
}

function notFinite(tensor: string, value: number, step: number, rows: number[]): LorikeetError {
  return new LorikeetError('training', {
    step,
    rows,
    tensor,
    what: `finite numbers expected, got ${value}`,
    fix:
      'Look at the rows named here, or lower train.learningRate; ' +
      'what was learned up to the step before stands in adapter/.',
  });
}
