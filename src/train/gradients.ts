import { type ErrorPlace, LorikeetError } from '../errors.ts';
import { clipFactor, globalNorm, scaleGradients } from '../optim/clip.ts';
import type { Gradients, Sample, Trainable } from './step.ts';

/** The gradient of the summed label losses of one optimizer step, as its micro-batches come in. */
export interface GradientSum {
  /** By parameter name, in arrays that are kept for the whole run. */
  values: Map<string, Float32Array>;
  /** The parameters that some row of the step reached; the others take no step. */
  reached: Set<string>;
  loss: number;
  labelTokens: number;
  /** What each row cost. */
  rows: RowLoss[];
}

/** A row of a step and its mean loss over its label tokens. */
export interface RowLoss {
  row: number;
  loss: number;
}

export function createGradientSum(trainables: readonly Trainable[]): GradientSum {
  const values = new Map(trainables.map(({ name, values }) => [name, new Float32Array(values.length)]));
  return { values, reached: new Set(), loss: 0, labelTokens: 0, rows: [] };
}

export function clearGradientSum(sum: GradientSum): void {
  for (const values of sum.values.values()) values.fill(0);
  sum.reached.clear();
  sum.loss = 0;
  sum.labelTokens = 0;
  sum.rows = [];
}

/** Where a loss was computed, for errors. */
export interface LossPlace {
  step: number;
  /** The data file that the rows are of. */
  file?: string;
}

/** Adds one micro-batch; stops at the first number that is not finite, with the rows it came from. */
export function addGradients(sum: GradientSum, samples: Sample[], result: Gradients, place: LossPlace): void {
  samples.forEach((sample, i) => {
    const { losses } = result.samples[i];
    const loss = finiteLoss(sample, losses, place);
    sum.loss += loss;
    sum.labelTokens += losses.length;
    sum.rows.push({ row: sample.encoded.row, loss: loss / losses.length });
  });
  const rows = samples.map((sample) => sample.encoded.row);
  for (const [name, gradient] of result.gradients) {
    addGradient(name, sum.values.get(name), gradient, { ...place, rows });
    sum.reached.add(name);
  }
}

/** The sum of a sample's label losses, natural log. */
export function finiteLoss(sample: Sample, losses: Float32Array, place: LossPlace): number {
  let sum = 0;
  for (let n = 0; n < losses.length; n++) sum += losses[n];
  if (Number.isFinite(sum)) return sum;
  throw notFinite('the loss', sum, { ...place, rows: [sample.encoded.row] });
}

function addGradient(
  name: string,
  total: Float32Array | undefined,
  gradient: Float32Array,
  place: LossPlace & { rows: number[] },
): void {
  if (total?.length !== gradient.length) {
    throw new LorikeetError('graph', {
      tensor: name,
      what: `gradient expected ${total?.length ?? 'no'} values, got ${gradient.length}`,
    });
  }
  for (let i = 0; i < total.length; i++) {
    total[i] += gradient[i];
    if (!Number.isFinite(total[i])) throw notFinite('its gradient', total[i], { ...place, tensor: name });
  }
}

export interface StepGradients {
  /** Of the parameters that were reached: the mean over the step's label tokens, clipped. */
  gradients: Map<string, Float32Array>;
  /** Global 2-norm before clipping. */
  norm: number;
}

/** Turns the sum into the step's mean gradient, clipped to `maxNorm`. */
export function finishGradients(sum: GradientSum, maxNorm: number): StepGradients {
  const gradients = new Map([...sum.values].filter(([name]) => sum.reached.has(name)));
  const norm = globalNorm(gradients) / sum.labelTokens;
  scaleGradients(gradients, clipFactor(norm, maxNorm) / sum.labelTokens);
  return { gradients, norm };
}

function notFinite(whose: string, value: number, { step, ...place }: ErrorPlace): LorikeetError {
  const isFirst = step !== undefined && step <= 1;
  return new LorikeetError('training', {
    step,
    ...place,
    what: `${whose} expected a finite number, got ${value}`,
    fix: isFirst
      ? 'Nothing was learned before it, so look at the rows named here and at the values of the checkpoint and the adapter.'
      : 'Lower train.learningRate, or look at the rows named here; adapter/ holds what was learned before.',
  });
}
