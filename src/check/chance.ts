import { type Encoded, tokenKinds } from '../data/example.ts';

/** Prefixes that are kept; answers beyond them count in what is there already. */
const mostPrefixes = 2 ** 19;

const answerKind = tokenKinds.indexOf('answer');

/**
 * What an answer costs one who has read the training answers and sees neither picture nor question: a prefix tree
 * with the counts of each next token w, the answer's end counted as one more token. V words, V + 1 outcomes.
 *
 *     p(w | prefix) = (c(prefix, w) + T(prefix) u(w)) / (c(prefix) + T(prefix))        u(w) after a prefix nobody wrote
 *     u(w)          = (n(w) + D / (V + 1)) / (n + D)
 *
 * c(prefix, w): training answers that go on so after the prefix; c(prefix) their sum over w, T(prefix) how many
 * different w there are. n(w), n and D: the same over all training answers, wherever w stands (Witten and Bell 1991).
 * Each is a distribution over the V + 1 outcomes. A prefix beyond the bound of 524,288 is one nobody wrote.
 */
export class AnswerTree {
  readonly #vocabulary: number;
  /** Of a prefix and the token after it: the number of the longer prefix. */
  readonly #next = new Map<number, number>();
  /** By the prefix's number, 0 the empty one: how often it was reached, went on or ended, and in how many ways. */
  readonly #reached = [0];
  readonly #ended = [0];
  readonly #total = [0];
  readonly #ways = [0];
  readonly #unigrams = new Map<number, number>();
  #tokens = 0;

  /** @param vocabulary V, the rows of the head. */
  constructor(vocabulary: number) {
    this.#vocabulary = vocabulary;
  }

  /** @param ended whether the answer is whole; one that was cut has no end. */
  add(ids: ArrayLike<number>, ended: boolean): void {
    let prefix: number | undefined = 0;
    for (let t = 0; t < ids.length; t++) {
      this.#count(ids[t]);
      if (prefix !== undefined) prefix = this.#step(prefix, ids[t]);
    }
    if (!ended) return;
    this.#count(this.#vocabulary);
    if (prefix !== undefined) this.#end(prefix);
  }

  /** p(token | prefix); V is the answer's end. */
  probability(prefix: ArrayLike<number>, token: number): number {
    return this.#probability(this.#find(prefix), token);
  }

  /** -log p of each token of an answer, nats; its end is not among them. */
  costs(ids: ArrayLike<number>): number[] {
    let prefix: number | undefined = 0;
    return Array.from(ids, (id) => {
      const cost = -Math.log(this.#probability(prefix, id));
      prefix = prefix === undefined ? undefined : this.#next.get(this.#key(prefix, id));
      return cost;
    });
  }

  #count(token: number): void {
    this.#unigrams.set(token, (this.#unigrams.get(token) ?? 0) + 1);
    this.#tokens++;
  }

  #step(prefix: number, token: number): number | undefined {
    const key = this.#key(prefix, token);
    let next = this.#next.get(key);
    if (next === undefined) {
      if (this.#reached.length >= mostPrefixes) return undefined;
      next = this.#reached.push(0) - 1;
      for (const counts of [this.#ended, this.#total, this.#ways]) counts.push(0);
      this.#next.set(key, next);
      this.#ways[prefix]++;
    }
    this.#reached[next]++;
    this.#total[prefix]++;
    return next;
  }

  #end(prefix: number): void {
    if (this.#ended[prefix]++ === 0) this.#ways[prefix]++;
    this.#total[prefix]++;
  }

  #find(ids: ArrayLike<number>): number | undefined {
    let prefix: number | undefined = 0;
    for (let t = 0; t < ids.length && prefix !== undefined; t++) {
      prefix = this.#next.get(this.#key(prefix, ids[t]));
    }
    return prefix;
  }

  #probability(prefix: number | undefined, token: number): number {
    const different = this.#unigrams.size;
    const uniform = 1 / (this.#vocabulary + 1);
    const seen = this.#unigrams.get(token) ?? 0;
    const unigram = this.#tokens === 0 ? uniform : (seen + different * uniform) / (this.#tokens + different);
    if (prefix === undefined || this.#total[prefix] === 0) return unigram;
    const ways = this.#ways[prefix];
    return (this.#goesOn(prefix, token) + ways * unigram) / (this.#total[prefix] + ways);
  }

  #goesOn(prefix: number, token: number): number {
    if (token === this.#vocabulary) return this.#ended[prefix];
    const next = this.#next.get(this.#key(prefix, token));
    return next === undefined ? 0 : this.#reached[next];
  }

  /** One number for both: prefixes times V stay far below 2^53. */
  #key(prefix: number, token: number): number {
    return prefix * (this.#vocabulary + 1) + token;
  }
}

/** Learns the training answers. */
export class AnswerLearner {
  readonly tree: AnswerTree;

  constructor(vocabulary: number) {
    this.tree = new AnswerTree(vocabulary);
  }

  add({ encoded }: { encoded: Encoded }): void {
    for (const { ids, ended } of answerRuns(encoded)) this.tree.add(ids, ended);
  }
}

/** Guesses the validation answers. */
export class AnswerGuesser {
  readonly #tree: AnswerTree;
  #cost = 0;
  #tokens = 0;

  constructor(tree: AnswerTree) {
    this.#tree = tree;
  }

  add({ encoded }: { encoded: Encoded }): void {
    for (const { ids } of answerRuns(encoded)) {
      for (const cost of this.#tree.costs(ids)) this.#cost += cost;
      this.#tokens += ids.length;
    }
  }

  /** Nats for each content token. */
  get mean(): number {
    return this.#tokens === 0 ? 0 : this.#cost / this.#tokens;
  }
}

/** The content tokens of each answer, and whether its end is there. */
function* answerRuns({ ids, kinds }: Encoded): Generator<{ ids: Int32Array; ended: boolean }> {
  for (let from = 0; from < ids.length; from++) {
    if (kinds[from] !== answerKind) continue;
    let to = from;
    while (to < ids.length && kinds[to] === answerKind) to++;
    yield { ids: ids.subarray(from, to), ended: to < ids.length };
    from = to;
  }
}
