/** What a run saves by computing the beginnings that its rows have in common once. */
import type { Survey } from '../check/survey.ts';
import type { PackConfig } from '../config/schema.ts';
import { packedTokens } from '../data/pack.ts';
import type { CourseStep, RowSize } from './course.ts';
import type { StepEvent } from './events.ts';

/** Counted over the whole course of a run; rows and tokens once in each epoch. */
export interface Sharing {
  rows: number;
  /** Tokens of the rows as separate samples. */
  rowTokens: number;
  /** Tokens that go through the model: those of a shared prefix once in each pack. */
  tokens: number;
  /** Distinct pictures of a step, the mean over all steps. */
  picturesPerStep: number;
}

/** The rows of a split as a run packs them. */
export function rowSizes(
  { sizes, contents, prefixes }: Pick<Survey, 'sizes' | 'contents' | 'prefixes'>,
  { shareImages }: Pick<PackConfig, 'shareImages'>,
): RowSize[] {
  return sizes.map((size, i) => {
    const prefix = prefixes[i];
    return {
      ...size,
      pictures: contents[i],
      ...(shareImages && prefix && { prefix }),
      ...(prefix && contents[i].length > 0 && { group: prefix.group }),
    };
  });
}

export function sharingOf(course: Iterable<CourseStep>, sizes: readonly RowSize[]): Sharing {
  const sharing: Sharing = { rows: 0, rowTokens: 0, tokens: 0, picturesPerStep: 0 };
  let [pictures, steps] = [0, 0];
  for (const { batches } of course) {
    const step = new SeenRows(sizes);
    for (const batch of batches) step.add(batch);
    const seen = step.facts();
    sharing.rows += seen.rows;
    sharing.rowTokens += seen.rowTokens;
    sharing.tokens += seen.tokens;
    pictures += seen.pictures;
    steps++;
  }
  sharing.picturesPerStep = pictures / Math.max(steps, 1);
  return sharing;
}

/** Counts what goes through the model in one optimizer step. */
export class SeenRows {
  readonly #sizes: readonly RowSize[];
  readonly #pictures = new Set<string>();
  #rows = 0;
  #rowTokens = 0;
  #tokens = 0;

  constructor(sizes: readonly RowSize[]) {
    this.#sizes = sizes;
  }

  /** A micro-batch, by index; gives the tokens that are computed for it. */
  add(batch: readonly number[]): number {
    const rows = batch.map((row) => this.#sizes[row]);
    const tokens = packedTokens(rows);
    this.#rows += rows.length;
    this.#tokens += tokens;
    for (const row of rows) {
      this.#rowTokens += row.tokens;
      for (const picture of row.pictures ?? []) this.#pictures.add(picture);
    }
    return tokens;
  }

  facts(): Pick<StepEvent, 'rows' | 'pictures' | 'rowTokens' | 'tokens'> {
    return {
      rows: this.#rows,
      pictures: this.#pictures.size,
      rowTokens: this.#rowTokens,
      tokens: this.#tokens,
    };
  }
}
