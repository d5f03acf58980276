/** Finds the rows of a file that begin alike, from one pass over them, without keeping them. */
import { createHash } from 'node:crypto';
import { type Encoded, isLabel, tokenKinds } from './example.ts';
import type { SharedPrefix } from './pack.ts';

/** Text behind the pictures that is looked at; what rows have in common beyond it is computed for each. */
const mostText = 256;

const imageKind = tokenKinds.indexOf('image');
const userKind = tokenKinds.indexOf('user');

/** Rows with the same pictures and the same tokens up to the last of them. */
interface Group {
  id: number;
  rows: number;
  /** Tokens up to the last picture's end; those of the system text, where rows have no picture. */
  start: number;
  /** What all rows seen so far have in common behind that. */
  common: Int32Array;
}

export class PrefixFinder {
  readonly #groups = new Map<string, Group>();
  readonly #groupOfRow: (Group | undefined)[] = [];

  /** @param contents of each of the row's pictures, the same for the same pixels. */
  add(encoded: Encoded, contents: readonly string[]): void {
    this.#groupOfRow.push(this.#join(encoded, contents));
  }

  /** For each row in the order they came: nothing where it begins like no other. */
  prefixes(): (SharedPrefix | undefined)[] {
    const shared = new Map<Group, SharedPrefix>();
    for (const group of this.#groups.values()) {
      const tokens = group.start + group.common.length;
      if (group.rows > 1 && tokens > 0) shared.set(group, { group: group.id, tokens });
    }
    return this.#groupOfRow.map((group) => group && shared.get(group));
  }

  #join({ ids, kinds }: Encoded, contents: readonly string[]): Group | undefined {
    const start =
      contents.length > 0 ? kinds.lastIndexOf(imageKind) + 1 : Math.max(0, kinds.indexOf(userKind));
    const end = Math.min(firstLabel(kinds), start + mostText);
    if (end < start) return undefined; // a picture comes after an answer, which would be in the prefix
    const key = keyOf(ids.subarray(0, start), contents);
    const rest = ids.subarray(start, end);
    const known = this.#groups.get(key);
    if (known) {
      known.rows++;
      known.common = known.common.subarray(0, sharedLength(known.common, rest));
      return known;
    }
    const group = { id: this.#groups.size, rows: 1, start, common: rest.slice() };
    this.#groups.set(key, group);
    return group;
  }
}

/** The first token is predicted by nothing and is no label; a row always has one behind it. */
function firstLabel(kinds: Uint8Array): number {
  const found = kinds.findIndex((kind, t) => t > 0 && isLabel(kind));
  return found < 0 ? kinds.length - 1 : found;
}

function keyOf(ids: Int32Array, contents: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(contents));
  return hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).digest('base64');
}

function sharedLength(a: Int32Array, b: Int32Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
