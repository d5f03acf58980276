import { LorikeetError } from '../errors.ts';
import type { InspectedToken, LabelToken, SeenRow } from './row.ts';

export type Sums = Pick<SeenRow, 'labelTokens' | 'loss' | 'sum' | 'answer' | 'arithmetic'>;

/** Sums and means of a row's label losses, with and without the ends of its turns. */
export function sumsOf(tokens: readonly InspectedToken[]): Sums {
  const labels = tokens.filter((token) => token.label);
  const all = meanOf(labels);
  return {
    labelTokens: labels.length,
    loss: all.loss,
    sum: all.sum,
    answer: meanOf(labels.filter(({ part }) => part === 'answer')),
    arithmetic: spelledOut(
      labels.flatMap(({ loss }) => loss ?? []),
      labels.length,
    ),
  };
}

function meanOf(labels: readonly LabelToken[]): SeenRow['answer'] {
  const losses = labels.flatMap(({ loss }) => loss ?? []);
  const labelTokens = labels.length;
  if (losses.length < labelTokens) return { labelTokens, sum: null, loss: null };
  const sum = losses.reduce((total, loss) => total + loss, 0);
  return { labelTokens, sum, loss: labelTokens > 0 ? sum / labelTokens : null };
}

/** The mean as a textbook writes it; nothing where a loss is not known. */
function spelledOut(losses: readonly number[], labelTokens: number): string | null {
  if (losses.length < labelTokens || labelTokens === 0) return null;
  const sum = losses.reduce((total, loss) => total + loss, 0);
  const terms = losses.map((loss) => loss.toFixed(2)).join(' + ');
  return `Loss = (${terms}) / ${labelTokens} = ${sum.toFixed(4)} / ${labelTokens} = ${(sum / labelTokens).toFixed(4)}`;
}

/** Terms in the middle are left out where there are many. */
export function shortened(arithmetic: string, shown = 24): string {
  const [, terms, rest] = /^Loss = \((.*?)\)(.*)$/.exec(arithmetic) ?? [];
  const all = terms?.split(' + ') ?? [];
  if (all.length <= shown) return arithmetic;
  return `Loss = (${[...all.slice(0, shown - 2), '...', ...all.slice(-2)].join(' + ')})${rest}`;
}

/** Throws `training` where a loss is not a finite number: the weights then hold such values. */
export function checkFinite(row: number, positions: readonly number[], losses: ArrayLike<number>): void {
  const n = positions.findIndex((_, i) => !Number.isFinite(losses[i]));
  if (n === -1) return;
  throw new LorikeetError('training', {
    row,
    what: `the loss of token ${positions[n]} expected a finite number, got ${losses[n]}`,
    fix: 'Base or adapter hold values that are not finite, or so large that sums overflow: use another checkpoint.',
  });
}
