/** Overlap of long answers with the right ones: BLEU-1 and ROUGE-L, both per answer and averaged over answers. */
import { sharedWords } from './token-f1.ts';

/** Right answers of this many words or more are long; of a shorter one overlap says no more than token F1. */
export const longAnswerWords = 5;

export function isLong(expected: string): boolean {
  return wordsOf(expected).length >= longAnswerWords;
}

/** Runs of letters and digits, lower-cased; on ASCII what rouge_score's tokenizer gives without its stemmer. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/**
 * Clipped unigram precision times the brevity penalty exp(1 - r / c) for c < r words (Papineni et al. 2002), for one
 * answer against one reference, without smoothing.
 */
export function bleu1(predicted: string, expected: string): number {
  const [said, right] = [predicted, expected].map(wordsOf);
  if (said.length === 0) return 0;
  const penalty = said.length < right.length ? Math.exp(1 - right.length / said.length) : 1;
  return (penalty * sharedWords(said, right)) / said.length;
}

/** F1 of the longest common subsequence of words (Lin 2004 with beta = 1, as rouge_score has it). */
export function rougeL(predicted: string, expected: string): number {
  const [said, right] = [predicted, expected].map(wordsOf);
  const common = longestCommonSubsequence(said, right);
  return common === 0 ? 0 : (2 * common) / (said.length + right.length);
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let above = new Uint32Array(b.length + 1);
  for (const word of a) {
    const row = new Uint32Array(b.length + 1);
    for (let j = 0; j < b.length; j++)
      row[j + 1] = word === b[j] ? above[j] + 1 : Math.max(above[j + 1], row[j]);
    above = row;
  }
  return above[b.length];
}
