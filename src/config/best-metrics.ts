/** Figures of an evaluation by which `best/` may be chosen, and whether more of each is better. */
export const metricDirections = {
  loss: 'lower',
  answerLoss: 'lower',
  tokenAccuracy: 'higher',
  exactMatch: 'higher',
  calibrationError: 'lower',
  'answers.exactMatch': 'higher',
  'answers.f1': 'higher',
} as const;

export type BestMetric = keyof typeof metricDirections;

export const bestMetrics = Object.keys(metricDirections) as [BestMetric, ...BestMetric[]];
