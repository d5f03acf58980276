import { LorikeetError } from './errors.ts';

/**
 * Cross-entropy as a plain function over arrays, public as `lorikeet/loss`. It imports nothing but the error
 * class, so that it runs in a browser and next to any engine.
 */

export interface CrossEntropyOptions {
  /** Rows with this label are left out of the mean. Default -100, as in PyTorch. */
  ignoreIndex?: number;
}

export interface CrossEntropyResult {
  /** Mean of the negative log-likelihood over the rows that have a label, in nats. */
  loss: number;
  /** [N] negative log-likelihood of each row's label in nats; 0 where the label is `ignoreIndex`, as PyTorch's `reduction="none"`. */
  perToken: Float64Array;
  /** How many rows have a label: what the mean divides by. */
  count: number;
}

/** N rows of V logits: flat and row by row (V is its length / N), or one array per row. */
export type Logits = Float32Array | Float64Array | readonly number[] | readonly ArrayLike<number>[];

/**
 * Cross-entropy of one label per row of logits: `-log softmax(logits[n])[labels[n]]` for each row n, averaged
 * over the rows whose label is not `ignoreIndex`. Labels belong to the rows they stand beside: nothing is shifted
 * here. For a language model hand over `logits[0..T-1)` with `labels[1..T)`.
 *
 * Computed in float64 as `max + log(sum(exp(x - max))) - x[label]`, which neither overflows nor underflows.
 * A logit that is NaN or +Infinity makes its row and the mean NaN, as in PyTorch; -Infinity is a probability of 0.
 *
 * @param logits [N, V]
 * @param labels [N] integers in [0, V), or `ignoreIndex`
 * @throws LorikeetError 'data': lengths that do not fit, a label outside [0, V), or no label at all. PyTorch
 *   returns NaN for the last: the mean of nothing, which then spreads silently through every later average.
 */
export function crossEntropy(
  logits: Logits,
  labels: ArrayLike<number>,
  options: CrossEntropyOptions = {},
): CrossEntropyResult {
  const { ignoreIndex = -100 } = options;
  const rows = rowsOf(logits, labels.length);
  const perToken = new Float64Array(labels.length);
  let sum = 0;
  let count = 0;
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n];
    if (label === ignoreIndex) continue;
    checkLabel(label, n, rows.vocabulary, ignoreIndex);
    perToken[n] = negativeLogLikelihood(rows.values(n), rows.start(n), rows.vocabulary, label);
    sum += perToken[n];
    count++;
  }
  if (count === 0) throw noLabel(labels.length, ignoreIndex);
  return { loss: sum / count, perToken, count };
}

interface Rows {
  vocabulary: number;
  values(n: number): ArrayLike<number>;
  start(n: number): number;
}

function rowsOf(logits: Logits, count: number): Rows {
  if (isNested(logits)) return nestedRows(logits, count);
  const vocabulary = count === 0 ? 0 : logits.length / count;
  if (
    !Number.isInteger(vocabulary) ||
    (count > 0 && vocabulary === 0) ||
    (count === 0 && logits.length > 0)
  ) {
    throw new LorikeetError('data', {
      what: `logits expected N x V values for N = ${count} labels, got ${logits.length}`,
      fix: 'Hand over one label for each row of logits; use -100 where a row has none.',
    });
  }
  return { vocabulary, values: () => logits, start: (n) => n * vocabulary };
}

function isNested(logits: Logits): logits is readonly ArrayLike<number>[] {
  return Array.isArray(logits) && typeof logits[0] === 'object';
}

function nestedRows(logits: readonly ArrayLike<number>[], count: number): Rows {
  if (logits.length !== count) {
    throw new LorikeetError('data', {
      what: `labels expected one for each of ${logits.length} rows of logits, got ${count}`,
      fix: 'Hand over one label for each row of logits; use -100 where a row has none.',
    });
  }
  const vocabulary = logits[0].length;
  const ragged = logits.findIndex((row) => row.length !== vocabulary);
  if (ragged >= 0) {
    throw new LorikeetError('data', {
      what: `logits expected ${vocabulary} values in every row, got ${logits[ragged].length}`,
      fix: 'Every row holds one logit for each word of the vocabulary.',
      row: ragged,
    });
  }
  return { vocabulary, values: (n) => logits[n], start: () => 0 };
}

function checkLabel(label: number, row: number, vocabulary: number, ignoreIndex: number): void {
  if (Number.isInteger(label) && label >= 0 && label < vocabulary) return;
  throw new LorikeetError('data', {
    what: `label expected an integer from 0 to ${vocabulary - 1} or ${ignoreIndex}, got ${label}`,
    fix: 'Check that logits and labels come from the same tokenizer and stand in the same order.',
    row,
  });
}

function noLabel(rows: number, ignoreIndex: number): LorikeetError {
  return new LorikeetError('data', {
    what: `labels expected at least one that is not ${ignoreIndex}, got ${rows} rows without any: the mean of nothing is not a number`,
    fix: 'Leave out samples without a label token before the loss, or count their tokens as 0.',
  });
}

function negativeLogLikelihood(
  values: ArrayLike<number>,
  start: number,
  vocabulary: number,
  label: number,
): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let v = start; v < start + vocabulary; v++) if (values[v] > max) max = values[v];
  let sum = 0;
  for (let v = start; v < start + vocabulary; v++) sum += Math.exp(values[v] - max);
  return max - values[start + label] + Math.log(sum);
}
