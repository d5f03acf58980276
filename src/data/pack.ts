/**
 * The one form in which samples run: packs, each a prefix and its branches. Rows that begin alike share the tokens of
 * that beginning; a row that shares nothing is a pack with an empty prefix and one branch.
 */
import type { Encoded } from './example.ts';

/** The beginning of a row that others of its file have too: rows of one `group` begin with the same `tokens` tokens and pictures. */
export interface SharedPrefix {
  group: number;
  /** None of them is a label, and every picture of the row is among them. */
  tokens: number;
}

/** Tokens that go through the model where these rows run together: every prefix once. */
export function packedTokens(rows: Iterable<{ tokens: number; prefix?: SharedPrefix }>): number {
  const groups = new Set<number>();
  let sum = 0;
  for (const { tokens, prefix } of rows) {
    const isKnown = prefix !== undefined && groups.has(prefix.group);
    sum += isKnown ? tokens - prefix.tokens : tokens;
    if (prefix) groups.add(prefix.group);
  }
  return sum;
}

/** A sample as far as its place in a run matters. */
export interface Packable {
  encoded: Encoded;
  /** What its pictures hold, where that is known. */
  images?: readonly { content: string }[];
  prefix?: SharedPrefix;
}

/** Rows [start, end) of a run. */
export interface Span {
  start: number;
  end: number;
}

/** One sample's tokens behind the prefix. */
export interface Branch extends Span {
  /** Its index among the samples. */
  sample: number;
}

export interface Pack {
  prefix: Span;
  /** Each sees the prefix and itself. */
  branches: Branch[];
}

/** Samples as the rows of one graph run: pack after pack, each prefix before its branches, nothing padded. */
export interface Layout<S extends Packable = Packable> {
  samples: readonly S[];
  packs: Pack[];
  /** T, the rows of the run. */
  tokens: number;
}

export function layOut<S extends Packable>(samples: readonly S[]): Layout<S> {
  let tokens = 0;
  const take = (length: number): Span => {
    tokens += length;
    return { start: tokens - length, end: tokens };
  };
  const packs = together(samples).map(({ length, members }) => ({
    prefix: take(length),
    branches: members.map((sample) => ({ sample, ...take(samples[sample].encoded.ids.length - length) })),
  }));
  return { samples, packs, tokens };
}

/** The sample whose pictures and prefix stand for those of the whole pack. */
export function firstOf<S extends Packable>({ samples }: Layout<S>, { branches }: Pack): S {
  return samples[branches[0].sample];
}

/** The row of the run in which token `t` of a branch's sample stands. */
export function rowOf({ prefix }: Pack, branch: Branch, t: number): number {
  const length = prefix.end - prefix.start;
  return t < length ? prefix.start + t : branch.start + t - length;
}

interface Members {
  /** Tokens of the prefix. */
  length: number;
  members: number[];
}

/** Samples by group, in the order in which the groups come first. */
function together(samples: readonly Packable[]): Members[] {
  const all: Members[] = [];
  const byGroup = new Map<number, Members>();
  samples.forEach((sample, i) => {
    const { prefix } = sample;
    const known = prefix && byGroup.get(prefix.group);
    if (known && beginsAs(sample, samples[known.members[0]], known.length)) known.members.push(i);
    else {
      const own = { length: known ? 0 : (prefix?.tokens ?? 0), members: [i] };
      all.push(own);
      if (prefix && !known) byGroup.set(prefix.group, own);
    }
  });
  return all;
}

/** Files can change while a run goes on: what no longer begins alike runs by itself. */
function beginsAs(one: Packable, other: Packable, length: number): boolean {
  const [a, b] = [one.encoded, other.encoded];
  const isSame = <T>(own: readonly T[] = [], others: readonly T[] = [], key: (value: T) => string) =>
    own.length === others.length && own.every((value, i) => key(value) === key(others[i]));
  const pictures =
    isSame(a.grids, b.grids, String) && isSame(one.images, other.images, ({ content }) => content);
  if (!pictures || a.ids.length <= length) return false;
  for (let t = 0; t < length; t++) if (a.ids[t] !== b.ids[t]) return false;
  return true;
}
