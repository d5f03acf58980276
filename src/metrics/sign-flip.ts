/** Whether two systems that answered the same questions differ by more than chance. */
import { stream } from '../random.ts';
import { type Share, sumClusters } from './bootstrap.ts';

export interface SignFlip {
  /** Two-sided. */
  p: number;
  /** Every flip was counted, or so many were drawn. */
  flips: number;
  isExact: boolean;
}

const drawnFlips = 9999;
/** 2^13 flips are fewer than would be drawn. */
const countedClusters = 13;

/**
 * Two-sided sign-flip test of paired differences (Fisher 1935), whole clusters flipped together: were the systems alike,
 * each cluster's sum could as well have the other sign. p is the share of flips whose total lies as far from 0 as the one
 * that was seen; drawn flips count that one too, (1 + hits) / (1 + flips), so that p is never 0.
 */
export function signFlipTest(differences: readonly Share[], seed: number): SignFlip {
  const sums = [...sumClusters(differences).values()].map(({ sum }) => sum).filter((sum) => sum !== 0);
  const seen = Math.abs(sums.reduce((total, sum) => total + sum, 0));
  // Sums of floats in another order differ in their last digits.
  const least = seen - 1e-9 * sums.reduce((total, sum) => total + Math.abs(sum), 0);
  if (sums.length <= countedClusters) return counted(sums, least);
  const draws = stream(seed, 'sign flip');
  let hits = 0;
  for (let flip = 0; flip < drawnFlips; flip++) {
    let total = 0;
    for (const sum of sums) total += draws.uniform() < 0.5 ? -sum : sum;
    if (Math.abs(total) >= least) hits++;
  }
  return { p: (1 + hits) / (1 + drawnFlips), flips: drawnFlips, isExact: false };
}

function counted(sums: readonly number[], least: number): SignFlip {
  const flips = 2 ** sums.length;
  let hits = 0;
  for (let signs = 0; signs < flips; signs++) {
    const total = sums.reduce((all, sum, i) => all + ((signs >> i) & 1 ? -sum : sum), 0);
    if (Math.abs(total) >= least) hits++;
  }
  return { p: hits / flips, flips, isExact: true };
}
