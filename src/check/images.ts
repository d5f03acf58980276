import type { ImageReference } from '../data/example.ts';
import { nameInFolder } from '../data/image/source.ts';
import { commonest } from './commonest.ts';
import type { SplitCheck } from './data-check.ts';
import type { Picture } from './pictures.ts';
import type { GoodRow } from './rows.ts';

/** Where a picture stands in a split. */
export interface PictureUse {
  /** The first of its files, as it is named from the folder of pictures. */
  name: string;
  /** Rows that show it. */
  rows: number[];
  /** Answers in those rows. */
  questions: number;
}

const sizesShown = 100;
const filesShown = 20;

/** The distinct pictures of a split and what is asked about them. */
export class PictureTally {
  readonly uses = new Map<Picture, PictureUse>();
  readonly #folder: string;
  #places = 0;

  /** @param folder what image paths are relative to. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  add({ row, example, encoded, pictures }: GoodRow): void {
    this.#places += pictures.length;
    const questions = example.turns.filter(({ role }) => role === 'assistant').length;
    for (const picture of new Set(pictures)) {
      const use = this.uses.get(picture) ?? this.#begin(picture, encoded.images[pictures.indexOf(picture)]);
      use.rows.push(row);
      use.questions += questions;
    }
  }

  #begin(picture: Picture, image: ImageReference): PictureUse {
    const use = { name: nameInFolder(image, this.#folder), rows: [], questions: 0 };
    this.uses.set(picture, use);
    return use;
  }

  result(): Pick<SplitCheck, 'images' | 'questionsPerImage'> {
    const pictures = [...this.uses.keys()];
    const saturated = pictures
      .filter(({ isSaturated }) => isSaturated)
      .sort((a, b) => Number(b.isSixteenBitGrey) - Number(a.isSixteenBitGrey));
    return {
      images: {
        distinct: pictures.length,
        uses: this.#places,
        sizes: sizesOf(pictures),
        saturated: {
          count: saturated.length,
          sixteenBit: saturated.filter(({ isSixteenBitGrey }) => isSixteenBitGrey).length,
          files: saturated.slice(0, filesShown).map((picture) => this.uses.get(picture)!.name),
        },
      },
      questionsPerImage: spread([...this.uses.values()].map(({ questions }) => questions)),
    };
  }
}

function sizesOf(pictures: Picture[]): SplitCheck['images']['sizes'] {
  const bySize = new Map<string, { picture: Picture; count: number }>();
  for (const picture of pictures) {
    const key = `${picture.width}x${picture.height}`;
    const size = bySize.get(key) ?? { picture, count: 0 };
    size.count++;
    bySize.set(key, size);
  }
  return commonest([...bySize.values()], sizesShown).map(({ picture: { width, height, tokens }, count }) => ({
    width,
    height,
    tokens,
    images: count,
  }));
}

function spread(values: number[]): SplitCheck['questionsPerImage'] {
  if (values.length === 0) return { least: 0, median: 0, most: 0, mean: 0 };
  const sorted = values.sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { least: sorted[0], median: (low + high) / 2, most: sorted[sorted.length - 1], mean };
}
