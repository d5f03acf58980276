/** The image test: the same questions about other pictures. */
import { shuffle, stream } from '../random.ts';
import { normalise } from './match.ts';

/**
 * For each of n pictures the index of another, so that none keeps its own and each is given away once: a seeded derangement.
 * Pictures of one group (a patient, a scene) are not exchanged for each other, unless a group holds more than half of all.
 * Throws RangeError for fewer than 2 pictures.
 */
export function wrongPictures(groups: readonly string[], seed: number): number[] {
  if (groups.length < 2) throw new RangeError(`shuffling pictures expected 2 or more, got ${groups.length}`);
  const members = new Map<string, number[]>();
  groups.forEach((group, i) => {
    members.set(group, [...(members.get(group) ?? []), i]);
  });
  const draws = stream(seed, 'wrong pictures');
  const names = shuffle([...members.keys()].sort(), draws);
  // With the groups one after the other in a circle, a shift by the largest one's size leads out of every group.
  const circle = names.flatMap((name) => shuffle(members.get(name)!, draws));
  const largest = Math.max(...[...members.values()].map(({ length }) => length));
  const step = 2 * largest <= circle.length ? largest : 1;
  const given = new Array<number>(groups.length);
  circle.forEach((picture, i) => {
    given[picture] = circle[(i + step) % circle.length];
  });
  return given;
}

/** A row's question and right answer, and which picture it is about. */
export interface AboutPicture {
  question: string;
  expected: string;
  picture: string;
}

/**
 * What right answers for wrong pictures score: of the rows that ask the same question of another picture, the share whose
 * right answer is this row's too. Nothing for a question that no other picture is asked.
 */
export function rightForWrongPicture(rows: readonly AboutPicture[]): (number | undefined)[] {
  const asked = new Map<string, Tally>();
  for (const row of rows) {
    const tally = asked.get(normalise(row.question)) ?? { all: new Counts(), right: new Counts() };
    const answer = normalise(row.expected);
    for (const picture of [undefined, row.picture]) {
      tally.all.add(JSON.stringify([picture]));
      tally.right.add(JSON.stringify([picture, answer]));
    }
    asked.set(normalise(row.question), tally);
  }
  return rows.map(({ question, expected, picture }) => {
    const { all, right } = asked.get(normalise(question))!;
    const elsewhere = (counts: Counts, ...key: string[]) =>
      counts.of(JSON.stringify([undefined, ...key])) - counts.of(JSON.stringify([picture, ...key]));
    const others = elsewhere(all);
    return others === 0 ? undefined : elsewhere(right, normalise(expected)) / others;
  });
}

/** How often a question is asked in all and of each picture, and with which right answers. */
interface Tally {
  all: Counts;
  right: Counts;
}

class Counts {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
