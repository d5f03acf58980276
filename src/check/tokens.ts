import { isLabel, type TokenKind, tokenKinds } from '../data/example.ts';
import type { SplitCheck } from './data-check.ts';
import type { GoodRow } from './rows.ts';

const longestShown = 5;

/** Tokens of a split, by why they are or are not trained on. */
export class TokenTally {
  readonly #counts = new Array<number>(tokenKinds.length).fill(0);
  #longest: SplitCheck['longest'] = [];

  add({ row, encoded: { ids, kinds } }: GoodRow): void {
    for (const kind of kinds) this.#counts[kind]++;
    const least = this.#longest.at(-1);
    if (this.#longest.length === longestShown && least && ids.length <= least.tokens) return;
    this.#longest.push({ row, tokens: ids.length });
    this.#longest.sort((a, b) => b.tokens - a.tokens || a.row - b.row);
    this.#longest.splice(longestShown);
  }

  result(): Pick<SplitCheck, 'tokens' | 'labelShare' | 'longest'> {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    const labels = this.#counts.reduce((sum, count, kind) => sum + (isLabel(kind) ? count : 0), 0);
    const entries = tokenKinds.map((kind, i) => [kind, this.#counts[i]]);
    return {
      tokens: Object.fromEntries(entries) as Record<TokenKind, number>,
      labelShare: total === 0 ? 0 : labels / total,
      longest: this.#longest,
    };
  }
}
