/** What the figures carry, in plain words. An interval that holds 0 carries nothing. */
import type { Difference } from './scorecard.ts';

/** Whether the whole interval lies above 0 (1), below (-1), or neither. */
function side({ low, high }: Difference): -1 | 0 | 1 {
  if (low === null || high === null) return 0;
  if (low > 0) return 1;
  return high < 0 ? -1 : 0;
}

export function floorVerdict(gain: Difference): string {
  if (side(gain) > 0) return `${points(gain.value)} above the floor.`;
  if (side(gain) < 0)
    return `${points(-gain.value)} BELOW the floor: always giving the commonest training answer scores better.`;
  return 'Not told apart from the floor: so far this is no better than never looking at the picture.';
}

export function isAbove(difference: Difference): boolean {
  return side(difference) > 0;
}

/** Of exact match, and of token F1 where no answer need be right to the letter. */
export function imageVerdict(drop: Difference, dropF1: Difference): string {
  if (drop.low === null) return 'One picture alone cannot say whether the image is used.';
  if (isAbove(drop))
    return `The score drops by ${points(drop.value)} on wrong pictures: the answers use the image.`;
  if (isAbove(dropF1))
    return `Exact match does not drop on wrong pictures, token F1 does by ${points(dropF1.value)}: the answers use the image.`;
  if (side(drop) < 0)
    return `The score RISES by ${points(-drop.value)} on wrong pictures: what the model takes from the image misleads it.`;
  return 'The score does not drop on wrong pictures: these answers did not use the image.';
}

export function comparisonVerdict(gain: Difference): string {
  const p = pValue(gain.p);
  if (gain.p < 0.05 && gain.value !== 0)
    return `${points(Math.abs(gain.value))} ${gain.value > 0 ? 'better' : 'worse'} than the other (${p}).`;
  return `Not told apart from the other (${p}).`;
}

export function points(share: number): string {
  return `${(100 * share).toFixed(1)} points`;
}

export function pValue(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`;
}
