import type { Overlap, SharedData } from './data-check.ts';
import type { PictureUse } from './images.ts';
import { NearIndex } from './near.ts';
import type { Picture } from './pictures.ts';

const pairsShown = 10;
const namesShown = 10;

type Uses = ReadonlyMap<Picture, PictureUse>;

/** Pictures of validation that stand in training too, by their pixels and by their looks. */
export function sharedPictures(train: Uses, validation: Uses): Pick<SharedData, 'same' | 'near'> {
  const index = new NearIndex<PictureUse>();
  for (const [picture, use] of train) index.add(use, picture.look);
  const same: Pair[] = [];
  const near: Pair[] = [];
  for (const [picture, use] of validation) {
    const twin = train.get(picture);
    if (twin) same.push([use, twin]);
    else {
      const alike = index.find(picture.look);
      if (alike) near.push([use, alike]);
    }
  }
  return { same: overlapOf(same), near: overlapOf(near) };
}

type Pair = [validation: PictureUse, train: PictureUse];

function overlapOf(pairs: Pair[]): Overlap {
  return {
    pictures: pairs.length,
    rows: new Set(pairs.flatMap(([{ rows }]) => rows)).size,
    pairs: pairs
      .slice(0, pairsShown)
      .map(([validation, train]) => ({ validation: validation.name, train: train.name })),
  };
}

/** Rows of each group, where the data has groups. */
export class GroupTally {
  readonly #rows = new Map<string, number>();

  add({ example: { group } }: { example: { group?: string } }): void {
    if (group !== undefined) this.#rows.set(group, (this.#rows.get(group) ?? 0) + 1);
  }

  /** Nothing where no row has a group. */
  get distinct(): number | undefined {
    return this.#rows.size || undefined;
  }

  /** Those of these groups that stand among the others too, and their rows here. */
  sharedWith(others: GroupTally): SharedData['groups'] {
    if (this.#rows.size === 0 || others.#rows.size === 0) return undefined;
    const shared = [...this.#rows].filter(([group]) => others.#rows.has(group));
    return {
      count: shared.length,
      rows: shared.reduce((sum, [, rows]) => sum + rows, 0),
      names: shared.slice(0, namesShown).map(([group]) => group.slice(0, 80)),
    };
  }
}
