import { type Encoded, isLabel, tokenKinds } from '../data/example.ts';
import { LorikeetError } from '../errors.ts';
import type { SampleLoss } from './step.ts';

/** Sums over samples, so that every mean weighs tokens, never samples or batches. */
export interface Tally {
  loss: number;
  tokens: number;
  hits: number;
  answerLoss: number;
  answerTokens: number;
  turns: number;
  exactTurns: number;
}

export function emptyTally(): Tally {
  return { loss: 0, tokens: 0, hits: 0, answerLoss: 0, answerTokens: 0, turns: 0, exactTurns: 0 };
}

/** Positions of the label tokens in the text. The first token has nothing before it that could predict it. */
export function labelPositions(encoded: Encoded): number[] {
  const positions: number[] = [];
  for (let t = 1; t < encoded.ids.length; t++) if (isLabel(encoded.kinds[t])) positions.push(t);
  return positions;
}

/** Adds one sample. A turn is a run of neighbouring label tokens; only the first of its end tokens counts for it. */
export function addSample(tally: Tally, encoded: Encoded, { losses, hits }: SampleLoss): void {
  const positions = labelPositions(encoded);
  if (positions.length !== losses.length || positions.length !== hits.length) {
    throw new LorikeetError('graph', {
      row: encoded.row,
      what: `label losses expected ${positions.length}, got ${losses.length} with ${hits.length} hits`,
    });
  }
  let exact = true;
  let ended = false;
  positions.forEach((t, n) => {
    if (positions[n - 1] !== t - 1) {
      exact = true;
      ended = false;
    }
    const answer = tokenKinds[encoded.kinds[t]] === 'answer';
    tally.loss += losses[n];
    tally.tokens++;
    tally.hits += hits[n];
    if (answer) {
      tally.answerLoss += losses[n];
      tally.answerTokens++;
    }
    if (answer || !ended) exact &&= hits[n] === 1;
    ended ||= !answer;
    if (positions[n + 1] !== t + 1) {
      tally.turns++;
      if (exact) tally.exactTurns++;
    }
  });
}

/** The means of the samples added so far. */
export interface Score {
  loss: number;
  tokens: number;
  tokenAccuracy: number;
  exactMatch: number;
  answerLoss: number | null;
}

export function scoreOf(tally: Tally): Score {
  return {
    loss: tally.loss / tally.tokens,
    tokens: tally.tokens,
    tokenAccuracy: tally.hits / tally.tokens,
    exactMatch: tally.exactTurns / tally.turns,
    answerLoss: tally.answerTokens > 0 ? tally.answerLoss / tally.answerTokens : null,
  };
}
