/** From logits to the next token: the likeliest, or a draw. Pure functions. */
import { LorikeetError } from '../errors.ts';
import { stream } from '../random.ts';

export interface SamplingOptions {
  /** Divides the logits; 0 takes the likeliest token. 1 where `topK` or `topP` is given, else 0. */
  temperature?: number;
  /** Only the k likeliest tokens; all that tie with the last of them stay. */
  topK?: number;
  /** Only the fewest likeliest tokens whose probabilities reach this sum; at least one. */
  topP?: number;
  /** Addresses the draws, with the token's place in the answer. Default 0. */
  seed?: number;
}

/** The next token from logits [V]; `position` counts the answer's tokens from 0. */
export type Sampler = (logits: Float32Array, position: number) => number;

/** Greedy unless asked otherwise. The same seed, position and logits give the same token. */
export function createSampler({ temperature, topK, topP, seed = 0 }: SamplingOptions): Sampler {
  const asked = topK !== undefined || topP !== undefined;
  const heat = temperature ?? (asked ? 1 : 0);
  if (heat === 0) return (logits) => likeliestToken(logits);
  return (logits, position) => {
    const kept = candidates(logits, { temperature: heat, topK, topP });
    return draw(kept, stream(seed, 'sample', position).uniform());
  };
}

/** Ties go to the smaller id. */
export function likeliestToken(logits: Float32Array): number {
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++)
    if (logits[id] > largest) {
      largest = logits[id];
      best = id;
    }
  if (best < 0) throw notNumbers();
  return best;
}

/** Tokens that may be drawn, by ascending id, and their probabilities before normalisation. */
export interface Candidates {
  ids: number[];
  weights: number[];
}

/**
 * Temperature, then top-k, then top-p, as transformers' warpers: top-k keeps every token that is not below the k-th
 * largest; top-p drops, from the least likely up, tokens whose cumulative probability among those kept is at most
 * 1 - p, and of equal ones the smaller id first. The likeliest token always stays.
 */
export function candidates(
  logits: Float32Array,
  { temperature, topK, topP = 1 }: { temperature: number; topK?: number; topP?: number },
): Candidates {
  const scores = temperature === 1 ? logits : logits.map((logit) => logit / temperature);
  const sorted = scores.toSorted();
  const words = sorted.length;
  const largest = sorted[words - 1];
  if (!Number.isFinite(largest)) return likeliestAlone(logits);
  let first = topK === undefined ? 0 : firstAtLeast(sorted, sorted[words - Math.min(topK, words)]);
  if (topP < 1) first = firstOfNucleus(sorted, first, topP);
  const least = sorted[first];
  let dropped = first - firstAtLeast(sorted, least); // equal to the least, and still outside
  const kept: Candidates = { ids: [], weights: [] };
  for (let id = 0; id < words; id++) {
    if (scores[id] < least || (scores[id] === least && dropped-- > 0)) continue;
    kept.ids.push(id);
    kept.weights.push(Math.exp(scores[id] - largest));
  }
  return kept;
}

/** What is left where the temperature is so low that divided logits are beyond f32. */
function likeliestAlone(logits: Float32Array): Candidates {
  if (logits.some((logit) => Number.isNaN(logit) || logit === Number.POSITIVE_INFINITY)) throw notNumbers();
  return { ids: [likeliestToken(logits)], weights: [1] };
}

/** Index of the first of ascending values that is not below `value`. */
function firstAtLeast(sorted: Float32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstOfNucleus(sorted: Float32Array, start: number, topP: number): number {
  const last = sorted.length - 1;
  const weights = sorted.subarray(start).map((score) => Math.exp(score - sorted[last]));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let cumulative = 0;
  for (let i = 0; i < weights.length; i++) {
    cumulative += weights[i] / total;
    if (cumulative > 1 - topP) return start + i;
  }
  return last;
}

/** Inverse of the cumulative distribution at u in [0, 1). */
function draw({ ids, weights }: Candidates, u: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = u * total;
  for (let i = 0; i < ids.length; i++) {
    left -= weights[i];
    if (left < 0) return ids[i];
  }
  return ids[ids.length - 1]; // rounding alone leads here
}

/** Natural logarithm of a token's probability under the model itself: no temperature, no filter. */
export function logProbability(logits: Float32Array, id: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return logits[id] - largest - Math.log(sum);
}

function notNumbers(): LorikeetError {
  return new LorikeetError('engine', {
    what: 'the model expected to give numbers for its next token, got NaN or infinity',
    fix: 'Weights or adapter are damaged or diverged: try without the adapter, or an earlier one.',
  });
}
