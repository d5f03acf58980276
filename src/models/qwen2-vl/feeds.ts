/** What the graphs of `forward.ts` are fed for a run of samples: everything but pixels and weights follows from ids. */
import { type Encoded, type Grid, isLabel } from '../../data/example.ts';
import { dropoutKeysName } from '../../nn/linear.ts';
import { hash } from '../../random.ts';
import type { Qwen2VLConfig } from './config.ts';
import { mropePositions } from './positions.ts';
import { textRotary, visionRotary } from './rotary-tables.ts';

/** By input name: the values and the lengths of their axes. */
export type Feeds = Record<string, { data: Float32Array | Int32Array; dims: readonly number[] }>;

/** Added to a score that may not be seen; large enough that its exponential is 0 in f32. */
const hidden = -1e30;

/** Rows [start, end) of a run that belong together. */
interface Segment {
  start: number;
  end: number;
}

const segmentsOf = (lengths: readonly number[]): Segment[] => {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return { start: end - length, end };
  });
};

/** The rows of a run that predict a label token, and that token; sample by sample in the order of the text. */
export interface LabelRows {
  rows: Int32Array;
  labels: Int32Array;
  /** How many of them belong to each sample. */
  counts: number[];
}

/** Row t predicts token t + 1. The first token of a sample has no row before it and is never a label. */
export function labelRows(samples: readonly Encoded[]): LabelRows {
  const rows: number[] = [];
  const labels: number[] = [];
  const starts = segmentsOf(samples.map(({ ids }) => ids.length));
  const counts = samples.map(({ ids, kinds }, i) => {
    const before = rows.length;
    for (let t = 1; t < ids.length; t++) {
      if (!isLabel(kinds[t])) continue;
      rows.push(starts[i].start + t - 1);
      labels.push(ids[t]);
    }
    return rows.length - before;
  });
  return { rows: Int32Array.from(rows), labels: Int32Array.from(labels), counts };
}

/** Token ids, positions, mask and image places of the samples, one after the other, none seeing another. */
export function textFeeds(samples: readonly Encoded[], config: Qwen2VLConfig): Feeds {
  const segments = segmentsOf(samples.map(({ ids }) => ids.length));
  const tokens = segments.at(-1)!.end;
  const ids = new Int32Array(tokens);
  const indices = new Int32Array(3 * tokens);
  samples.forEach((sample, i) => {
    ids.set(sample.ids, segments[i].start);
    const positions = mropePositions(sample.ids, sample.grids, {
      imageTokenId: config.imageTokenId,
      mergeSize: config.vision.spatialMergeSize,
    });
    setIndices(indices, positions.indices, segments[i]);
  });
  const isImage = Float32Array.from(ids, (id) => Number(id === config.imageTokenId));
  return {
    ...tokenFeeds(ids, indices, isImage, config),
    mask: { data: causalMask(segments, tokens), dims: [tokens, tokens] },
  };
}

/** Tokens of one text, to be read after those of it that stand in a cache. */
export interface NewTokens {
  /** [t] */
  ids: Int32Array;
  /** [3, t] */
  indices: Int32Array;
  /** Rows [start, end) of the cache that belong to the same text. */
  past: readonly (readonly [start: number, end: number])[];
  /** The model's own words: should it say an image token, no picture stands behind it. */
  said?: boolean;
}

/** One run over the new tokens of several texts; `cached` rows of all texts stand in the cache before them. */
export function cachedFeeds(texts: readonly NewTokens[], cached: number, config: Qwen2VLConfig): Feeds {
  const segments = segmentsOf(texts.map(({ ids }) => ids.length));
  const tokens = segments.at(-1)!.end;
  const seen = cached + tokens;
  const ids = new Int32Array(tokens);
  const indices = new Int32Array(3 * tokens);
  const mask = new Float32Array(tokens * seen).fill(hidden);
  const isImage = new Float32Array(tokens);
  texts.forEach((text, i) => {
    const { start, end } = segments[i];
    ids.set(text.ids, start);
    setIndices(indices, text.indices, segments[i]);
    for (let t = start; t < end; t++) {
      isImage[t] = Number(!text.said && ids[t] === config.imageTokenId);
      const row = mask.subarray(t * seen, (t + 1) * seen);
      for (const [from, to] of text.past) row.fill(0, from, to);
      row.fill(0, cached + start, cached + t + 1);
    }
  });
  return {
    ...tokenFeeds(ids, indices, isImage, config),
    mask: { data: mask, dims: [tokens, seen] },
  };
}

/** What a run is fed of its tokens but the mask: ids, rotary tables of their indices [3, T], image places. */
function tokenFeeds(
  ids: Int32Array,
  indices: Int32Array,
  isImage: Float32Array,
  { text }: Qwen2VLConfig,
): Feeds {
  const { headDim, ropeTheta, mropeSection } = text;
  const { cos, sin } = textRotary(indices, { headDim, theta: ropeTheta, sections: mropeSection });
  const dims = [ids.length, headDim / 2];
  return {
    ids: { data: ids, dims: [ids.length] },
    cos: { data: cos, dims },
    sin: { data: sin, dims },
    ...imagePlaces(isImage),
  };
}

/** Puts one text's indices [3, end - start] in its place among those of all [3, T]. */
function setIndices(all: Int32Array, own: Int32Array, { start, end }: Segment): void {
  const [tokens, length] = [all.length / 3, end - start];
  for (let axis = 0; axis < 3; axis++)
    all.set(own.subarray(axis * length, (axis + 1) * length), axis * tokens + start);
}

/** [T, T] 0 where row t may see column s: same sample, s <= t. */
function causalMask(segments: readonly Segment[], tokens: number): Float32Array {
  const mask = new Float32Array(tokens * tokens).fill(hidden);
  for (const { start, end } of segments)
    for (let t = start; t < end; t++) mask.fill(0, t * tokens + start, t * tokens + t + 1);
  return mask;
}

/** [P, P] 0 where two patches are of one image. */
function imageMask(segments: readonly Segment[], patches: number): Float32Array {
  const mask = new Float32Array(patches * patches).fill(hidden);
  for (const { start, end } of segments)
    for (let p = start; p < end; p++) mask.fill(0, p * patches + start, p * patches + end);
  return mask;
}

/** Image tokens take the rows of the image embeddings in order. */
function imagePlaces(isImage: Float32Array): Feeds {
  let next = 0;
  const index = Int32Array.from(isImage, (image) => (image === 1 ? next++ : 0));
  return {
    isImage: { data: isImage, dims: [isImage.length, 1] },
    imageIndex: { data: index, dims: [isImage.length] },
  };
}

/** Patches and their rotary tables of images that stand in one run of the tower. */
export function visionFeeds(
  images: readonly { grid: Grid; patches: Float32Array }[],
  { vision }: Qwen2VLConfig,
  { mask }: { mask: boolean },
): Feeds {
  const patchLength = images[0].patches.length / patchCount(images[0].grid);
  const segments = segmentsOf(images.map(({ grid }) => patchCount(grid)));
  const count = segments.at(-1)!.end;
  const half = vision.headDim / 2;
  const patches = images.length === 1 ? images[0].patches : new Float32Array(count * patchLength);
  const [cos, sin] = [new Float32Array(count * half), new Float32Array(count * half)];
  images.forEach((image, i) => {
    const { start } = segments[i];
    const rotary = visionRotary(image.grid, {
      headDim: vision.headDim,
      theta: vision.ropeTheta,
      mergeSize: vision.spatialMergeSize,
    });
    if (images.length > 1) patches.set(image.patches, start * patchLength);
    cos.set(rotary.cos, start * half);
    sin.set(rotary.sin, start * half);
  });
  return {
    patches: { data: patches, dims: [count, patchLength] },
    visionCos: { data: cos, dims: [count, half] },
    visionSin: { data: sin, dims: [count, half] },
    ...(mask ? { visionMask: { data: imageMask(segments, count), dims: [count, count] } } : {}),
  };
}

/** Patches of images of one grid, in a run that has `places` for them; the others stay blank. */
export function alikeVisionFeeds(
  images: readonly Float32Array[],
  grid: Grid,
  places: number,
  { vision }: Qwen2VLConfig,
): Feeds {
  const count = patchCount(grid);
  const { length } = images[0];
  const patches = places === 1 ? images[0] : new Float32Array(places * length);
  if (places > 1) images.forEach((image, i) => void patches.set(image, i * length));
  const { headDim, ropeTheta: theta, spatialMergeSize: mergeSize } = vision;
  const { cos, sin } = visionRotary(grid, { headDim, theta, mergeSize });
  const half = headDim / 2;
  return {
    patches: { data: patches, dims: [places * count, length / count] },
    visionCos: { data: cos, dims: [count, half] },
    visionSin: { data: sin, dims: [count, half] },
  };
}

/** Stands in where a run has no image at all: one image token of zeros, which no text token reads. */
export function blankImage({ vision }: Qwen2VLConfig): { grid: Grid; patches: Float32Array } {
  const side = vision.spatialMergeSize;
  const patchLength = vision.inChannels * vision.temporalPatchSize * vision.patchSize ** 2;
  return { grid: [1, side, side], patches: new Float32Array(side * side * patchLength) };
}

export const patchCount = ([frames, rows, columns]: Grid): number => frames * rows * columns;

/** A key for each row of every matrix that dropout may thin: tokens, patches, image tokens. */
export function dropoutFeeds(
  samples: readonly Encoded[],
  { config }: { config: Qwen2VLConfig },
  { seed, step }: { seed: number; step: number },
): Feeds {
  const merged = config.vision.spatialMergeSize ** 2;
  const patches = (sample: Encoded) => sample.grids.reduce((sum, grid) => sum + patchCount(grid), 0);
  const kinds: [symbol: string, rows: (sample: Encoded) => number][] = [
    ['T', ({ ids }) => ids.length],
    [`${merged}*M`, patches],
    ['M', (sample) => patches(sample) / merged],
  ];
  return Object.fromEntries(
    kinds.map(([symbol, rows]) => {
      const keys = samples.flatMap((sample) =>
        Array.from({ length: rows(sample) }, (_, i) => hash(seed, step, sample.row, symbol, i) | 0),
      );
      // Without any image the tower runs on a blank one, whose rows no token reads.
      const data = keys.length > 0 ? Int32Array.from(keys) : new Int32Array(symbol === 'M' ? 1 : merged);
      return [dropoutKeysName(symbol), { data, dims: [data.length] }];
    }),
  );
}
