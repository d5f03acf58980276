/** How far a model's certainty can be trusted, over label tokens. */
export interface Calibration {
  /** The ten bins in their order, empty ones too; `confidence` and `accuracy` of an empty bin are 0. */
  bins: CalibrationBin[];
  /** Expected calibration error: the bins' distances between hits and probability, weighed by their tokens. */
  error: number;
  tokens: number;
}

export interface CalibrationBin {
  /** Excluded, but for the first bin's 0. */
  from: number;
  /** Included. */
  to: number;
  tokens: number;
  /** Mean probability of the likeliest token. */
  confidence: number;
  /** Share of tokens that were the likeliest one. */
  accuracy: number;
}

/** What calibration asks of a label token: the probability of the likeliest token, and whether it was that one. */
export interface Certainty {
  top: number;
  hit: boolean;
}

const binCount = 10;

/**
 * Calibration of the likeliest token in ten bins of its probability (Guo et al. 2017, equations 2, 3 and 5); nothing
 * where there is no token.
 */
export function calibrationOfTokens(tokens: Iterable<Certainty>): Calibration | undefined {
  const sums = Array.from({ length: binCount }, () => ({ tokens: 0, top: 0, hits: 0 }));
  let count = 0;
  for (const { top, hit } of tokens) {
    const sum = sums[binOf(top)];
    sum.tokens++;
    sum.top += top;
    sum.hits += hit ? 1 : 0;
    count++;
  }
  if (count === 0) return undefined;
  const bins = sums.map((sum, b) => ({
    from: b / binCount,
    to: (b + 1) / binCount,
    tokens: sum.tokens,
    confidence: sum.tokens > 0 ? sum.top / sum.tokens : 0,
    accuracy: sum.tokens > 0 ? sum.hits / sum.tokens : 0,
  }));
  const distance = sums.reduce((sum, { hits, top }) => sum + Math.abs(hits - top), 0);
  return { bins, error: distance / count, tokens: count };
}

/** Bin b holds (b / 10, (b + 1) / 10]. */
function binOf(top: number): number {
  return Math.min(binCount - 1, Math.max(0, Math.ceil(top * binCount) - 1));
}
