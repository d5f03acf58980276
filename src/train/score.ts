import { type Encoded, type ImageName, isLabel, tokenKinds } from '../data/example.ts';
import { withoutBytes } from '../data/image/source.ts';
import { LorikeetError } from '../errors.ts';
import { type Certainty, calibrationOfTokens } from './calibration.ts';
import type { Scores, Split } from './events.ts';
import type { SampleLoss } from './step.ts';

/** What scoring saw of one row: its N label tokens in the order of the text. */
export interface ScoredRow<S extends string = Split> extends SampleLoss {
  split: S;
  row: number;
  images: readonly ImageName[];
  /** [N] where they stand in the text. */
  positions: Int32Array;
  /** [N] */
  ids: Int32Array;
  /** [N] index into `tokenKinds`. */
  kinds: Uint8Array;
}

/** Positions of the label tokens in the text. The first token has nothing before it that could predict it. */
export function labelPositions(encoded: Encoded): number[] {
  const positions: number[] = [];
  for (let t = 1; t < encoded.ids.length; t++) if (isLabel(encoded.kinds[t])) positions.push(t);
  return positions;
}

export function scoredRow<S extends string>(split: S, encoded: Encoded, result: SampleLoss): ScoredRow<S> {
  const positions = labelPositions(encoded);
  const { losses, hits } = result;
  if (positions.length !== losses.length || positions.length !== hits.length) {
    throw new LorikeetError('graph', {
      row: encoded.row,
      what: `label losses expected ${positions.length}, got ${losses.length} with ${hits.length} hits`,
    });
  }
  return {
    split,
    row: encoded.row,
    images: encoded.images.map(withoutBytes),
    positions: Int32Array.from(positions),
    ids: Int32Array.from(positions, (t) => encoded.ids[t]),
    kinds: Uint8Array.from(positions, (t) => encoded.kinds[t]),
    ...result,
  };
}

export function isAnswer(row: ScoredRow, n: number): boolean {
  return tokenKinds[row.kinds[n]] === 'answer';
}

/** Sums over rows, so that every mean weighs tokens, never rows or batches. */
interface Tally {
  loss: number;
  tokens: number;
  hits: number;
  answerLoss: number;
  answerTokens: number;
  turns: number;
  exactTurns: number;
  /** One for each token. */
  certainties: Certainty[];
}

/** The means over rows. */
export function scoresOf(rows: readonly ScoredRow[]): Scores {
  const tally: Tally = {
    loss: 0,
    tokens: 0,
    hits: 0,
    answerLoss: 0,
    answerTokens: 0,
    turns: 0,
    exactTurns: 0,
    certainties: [],
  };
  for (const row of rows) {
    addTokens(tally, row);
    addTurns(tally, row);
  }
  return {
    loss: tally.loss / tally.tokens,
    rows: rows.length,
    tokens: tally.tokens,
    tokenAccuracy: tally.hits / tally.tokens,
    exactMatch: tally.exactTurns / tally.turns,
    answerLoss: tally.answerTokens > 0 ? tally.answerLoss / tally.answerTokens : null,
    calibrationError: calibrationOfTokens(tally.certainties)?.error ?? Number.NaN,
  };
}

function addTokens(tally: Tally, row: ScoredRow): void {
  const { losses, hits, top } = row;
  losses.forEach((loss, n) => {
    tally.loss += loss;
    tally.tokens++;
    tally.hits += hits[n];
    tally.certainties.push({ top: top[n], hit: hits[n] === 1 });
    if (!isAnswer(row, n)) return;
    tally.answerLoss += loss;
    tally.answerTokens++;
  });
}

/** A turn is a run of neighbouring label tokens; only the first of its end tokens counts for it. */
function addTurns(tally: Tally, row: ScoredRow): void {
  const { positions, hits } = row;
  let exact = true;
  let ended = false;
  positions.forEach((t, n) => {
    if (positions[n - 1] !== t - 1) {
      exact = true;
      ended = false;
    }
    const answer = isAnswer(row, n);
    if (answer || !ended) exact &&= hits[n] === 1;
    ended ||= !answer;
    if (positions[n + 1] === t + 1) return;
    tally.turns++;
    if (exact) tally.exactTurns++;
  });
}
