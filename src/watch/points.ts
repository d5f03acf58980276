/** The figures of `metrics.jsonl` that the live curves show. */

/** Step, loss, gradient norm, learning rate; null where the line does not say. */
export type StepPoint = [step: number, ...(number | null)[]];
/**
 * Step, then of the validation rows loss, answer loss, token accuracy, exact match; then the training rows' loss; then of
 * given answers exact match, token F1, floor.
 */
export type EvaluationPoint = [step: number, ...(number | null)[]];

export interface MetricsLine {
  step?: StepPoint;
  evaluation?: EvaluationPoint;
  /** What a person wants to know of the newest step. */
  progress?: Progress;
}

export interface Progress {
  step: number;
  epoch: number | null;
  loss: number | null;
  tokensPerSecond: number | null;
  secondsLeft: number | null;
}

/** A line of `metrics.jsonl`. One that cannot be read, or is of a kind that is not known here, says nothing. */
export function readMetricsLine(text: string): MetricsLine {
  const line = parseObject(text);
  const step = figure(line.step);
  if (step === null) return {};
  const loss = figure(line.loss);
  if (line.type === 'step') {
    return {
      step: [step, loss, figure(line.gradNorm), figure(line.learningRate)],
      progress: {
        step,
        epoch: figure(line.epoch),
        loss,
        tokensPerSecond: figure(line.tokensPerSecond),
        secondsLeft: figure(line.secondsLeft),
      },
    };
  }
  if (line.type !== 'baseline' && line.type !== 'evaluate') return {};
  const train = asObject(line.train);
  const accuracies = [figure(line.tokenAccuracy), figure(line.exactMatch)];
  const { exactMatch, f1, floor } = asObject(line.answers);
  const answers = [exactMatch, f1, floor].map(figure);
  return { evaluation: [step, loss, figure(line.answerLoss), ...accuracies, figure(train.loss), ...answers] };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function figure(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
