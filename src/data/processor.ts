import type { Grid } from './example.ts';

/** 8-bit RGB pixels, row by row: data[(y * width + x) * 3 + channel]. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

/** What the vision tower reads of one image: P patches of `patchLength` values each. */
export interface ImagePatches {
  grid: Grid;
  /** [P, patchLength], normalised, in the order the tower expects. */
  values: Float32Array;
}

/**
 * What `data/` needs to know of a model. A model's folder implements it; the plan of a run hands it over,
 * so that no data code knows a model's name.
 */
export interface Processor {
  /** The grid that a picture of this size becomes; throws an `image` error where the model cannot take it. */
  gridFor(width: number, height: number): Grid;
  /** How many image tokens a grid stands for in the text. */
  tokenCount(grid: Grid): number;
  /** All that decides a picture's patches beside its pixels and its grid: two that say the same make the same. */
  readonly identity: string;
  /** Resizes, normalises and cuts into patches. */
  patches(image: RgbImage): ImagePatches;
}
