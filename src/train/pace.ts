import type { RowSize } from './course.ts';

export interface PaceTotals {
  /** Tokens of the whole training, epochs counted. */
  tokens: number;
  evaluations: number;
  tokensPerEvaluation: number;
  /** What a token of evaluation costs beside a token of training, until one has been timed. */
  evaluationShare: number;
  /** Seconds for what is no part of a token's cost and comes once: pictures. */
  secondsBeside?: () => number;
}

/**
 * A decoded token reads every weight for itself alone, as long as about this many tokens of a prompt take (27 from f32 and
 * 63 from bf16 weights at 2B width, docs/LOG.md).
 */
const decodedToken = 32;

/** What answering rows one by one costs, in tokens that are read together. */
export function tokensToAnswer(rows: readonly number[], sizes: readonly RowSize[]): number {
  return rows.reduce((sum, row) => sum + sizes[row].tokens + decodedToken * sizes[row].labelTokens, 0);
}

/** How fast a run goes and what is left of it. */
export interface Pace {
  /** A micro-batch is done. */
  trained(tokens: number, seconds: number): void;
  /** Tokens that would have been trained on will not be. */
  skipped(tokens: number): void;
  evaluated(seconds: number): void;
  tokensPerSecond(): number;
  secondsLeft(): number;
}

/** Older micro-batches count this much less with every new one. */
const memory = 0.95;

export function createPace(totals: PaceTotals): Pace {
  let batches = 0;
  let recentTokens = 0;
  let recentSeconds = 0;
  let tokensDone = 0;
  let evaluationsDone = 0;
  let secondsPerEvaluation: number | undefined;

  const tokensPerSecond = () => recentTokens / Math.max(recentSeconds, 1e-9);
  return {
    trained(tokens, seconds) {
      // The first micro-batch also pays for what is made once; it counts only until there is a second.
      const keep = batches === 1 ? 0 : memory;
      recentTokens = recentTokens * keep + tokens;
      recentSeconds = recentSeconds * keep + seconds;
      tokensDone += tokens;
      batches++;
    },
    skipped(tokens) {
      tokensDone += tokens;
    },
    evaluated(seconds) {
      evaluationsDone++;
      secondsPerEvaluation = seconds;
    },
    tokensPerSecond,
    secondsLeft() {
      const beside = totals.secondsBeside?.() ?? 0;
      if (recentTokens === 0) return beside;
      const evaluation =
        secondsPerEvaluation ?? (totals.tokensPerEvaluation * totals.evaluationShare) / tokensPerSecond();
      const training = Math.max(0, totals.tokens - tokensDone) / tokensPerSecond();
      return beside + training + Math.max(0, totals.evaluations - evaluationsDone) * evaluation;
    },
  };
}
