/** Token F1 as the SQuAD evaluation defines it. */

/**
 * Harmonic mean of precision and recall over the bag of words, after lower-casing, without ASCII punctuation and the
 * articles a, an, the (Rajpurkar et al. 2016, 2018; `compute_f1` of the SQuAD 2.0 script). Of two texts without a word left
 * it is 1, as there.
 */
export function tokenF1(predicted: string, expected: string): number {
  const [said, right] = [predicted, expected].map(squadWords);
  if (said.length === 0 && right.length === 0) return 1;
  const shared = sharedWords(said, right);
  if (shared === 0) return 0;
  const precision = shared / said.length;
  const recall = shared / right.length;
  return (2 * precision * recall) / (precision + recall);
}

export function squadWords(text: string): string[] {
  const bare = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '');
  return splitWords(bare.replace(/(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu, ' '));
}

/** Size of the intersection of two bags of words. */
export function sharedWords(a: readonly string[], b: readonly string[]): number {
  const left = countsOf(b);
  let shared = 0;
  for (const word of a) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    shared++;
  }
  return shared;
}

function countsOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function splitWords(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
