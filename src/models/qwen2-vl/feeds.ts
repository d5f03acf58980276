/** What the graphs of `forward.ts` are fed for a run of samples: everything but pixels and weights follows from ids. */
import { type Grid, isLabel } from '../../data/example.ts';
import { firstOf, type Layout, type Pack, type Packable, rowOf, type Span } from '../../data/pack.ts';
import { dropoutKeysName } from '../../nn/linear.ts';
import { hash } from '../../random.ts';
import type { Qwen2VLConfig } from './config.ts';
import { mropePositions } from './positions.ts';
import { textRotary, visionRotary } from './rotary-tables.ts';

/** By input name: the values and the lengths of their axes. */
export type Feeds = Record<string, { data: Float32Array | Int32Array; dims: readonly number[] }>;

/** Added to a score that may not be seen; large enough that its exponential is 0 in f32. */
const hidden = -1e30;

const spansOf = (lengths: readonly number[]): Span[] => {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return { start: end - length, end };
  });
};

/** The rows of a run that predict a label token, and that token; sample by sample in the order of the text. */
export interface LabelRows {
  /** [N] the first labels of branches may all be predicted by the last row of their prefix. */
  rows: Int32Array;
  labels: Int32Array;
  /** How many of them belong to each sample. */
  counts: number[];
}

/** Token t is predicted by the row that token t - 1 stands in. The first token of a sample is never a label. */
export function labelRows({ samples, packs }: Layout): LabelRows {
  const ofSample: { rows: number[]; labels: number[] }[] = samples.map(() => ({ rows: [], labels: [] }));
  for (const pack of packs)
    for (const branch of pack.branches) {
      const { ids, kinds } = samples[branch.sample].encoded;
      const { rows, labels } = ofSample[branch.sample];
      for (let t = 1; t < ids.length; t++) {
        if (!isLabel(kinds[t])) continue;
        rows.push(rowOf(pack, branch, t - 1));
        labels.push(ids[t]);
      }
    }
  return {
    rows: Int32Array.from(ofSample.flatMap(({ rows }) => rows)),
    labels: Int32Array.from(ofSample.flatMap(({ labels }) => labels)),
    counts: ofSample.map(({ rows }) => rows.length),
  };
}

/** Token ids, positions, mask and image places of a run; positions of each branch go on where its prefix ends. */
export function textFeeds(layout: Layout, config: Qwen2VLConfig): Feeds {
  const { samples, packs, tokens } = layout;
  const ids = new Int32Array(tokens);
  const indices = new Int32Array(3 * tokens);
  for (const pack of packs) {
    const shared = pack.prefix.end - pack.prefix.start;
    pack.branches.forEach((branch, i) => {
      const { encoded } = samples[branch.sample];
      const own = mropePositions(encoded.ids, encoded.grids, {
        imageTokenId: config.imageTokenId,
        mergeSize: config.vision.spatialMergeSize,
      }).indices;
      const place = (span: Span, from: number) => {
        ids.set(encoded.ids.subarray(from, from + span.end - span.start), span.start);
        setIndices(indices, own, span, from);
      };
      if (i === 0) place(pack.prefix, 0);
      place(branch, shared);
    });
  }
  const isImage = Float32Array.from(ids, (id) => Number(id === config.imageTokenId));
  return {
    ...tokenFeeds(ids, indices, isImage, config),
    mask: { data: packMask(packs, tokens), dims: [tokens, tokens] },
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
  const spans = spansOf(texts.map(({ ids }) => ids.length));
  const tokens = spans.at(-1)!.end;
  const seen = cached + tokens;
  const ids = new Int32Array(tokens);
  const indices = new Int32Array(3 * tokens);
  const mask = new Float32Array(tokens * seen).fill(hidden);
  const isImage = new Float32Array(tokens);
  texts.forEach((text, i) => {
    const { start, end } = spans[i];
    ids.set(text.ids, start);
    setIndices(indices, text.indices, spans[i]);
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

/** Puts one text's indices [3, length] from `from` on in their place among those of all [3, T]. */
function setIndices(all: Int32Array, own: Int32Array, { start, end }: Span, from = 0): void {
  const [tokens, length] = [all.length / 3, own.length / 3];
  for (let axis = 0; axis < 3; axis++) {
    const first = axis * length + from;
    all.set(own.subarray(first, first + end - start), axis * tokens + start);
  }
}

/** [T, T] 0 where row t may see column s: of its own pack the prefix, of its own branch what stands before it and itself. */
function packMask(packs: readonly Pack[], tokens: number): Float32Array {
  const mask = new Float32Array(tokens * tokens).fill(hidden);
  for (const { prefix, branches } of packs)
    for (const { start, end } of [prefix, ...branches])
      for (let t = start; t < end; t++) {
        const row = t * tokens;
        if (start > prefix.start) mask.fill(0, row + prefix.start, row + prefix.end);
        mask.fill(0, row + start, row + t + 1);
      }
  return mask;
}

/** [P, P] 0 where two patches are of one image. */
function imageMask(images: readonly Span[], patches: number): Float32Array {
  const mask = new Float32Array(patches * patches).fill(hidden);
  for (const { start, end } of images)
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
  const spans = spansOf(images.map(({ grid }) => patchCount(grid)));
  const count = spans.at(-1)!.end;
  const half = vision.headDim / 2;
  const patches = images.length === 1 ? images[0].patches : new Float32Array(count * patchLength);
  const [cos, sin] = [new Float32Array(count * half), new Float32Array(count * half)];
  images.forEach((image, i) => {
    const { start } = spans[i];
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
    ...(mask ? { visionMask: { data: imageMask(spans, count), dims: [count, count] } } : {}),
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

/**
 * A key for each row of every matrix that dropout may thin: tokens, patches, image tokens. What a pack shares has the keys
 * of its first sample.
 */
export function dropoutFeeds(
  layout: Layout,
  { config }: { config: Qwen2VLConfig },
  { seed, step }: { seed: number; step: number },
): Feeds {
  const merged = config.vision.spatialMergeSize ** 2;
  const keysOf = ({ encoded }: Packable, symbol: string, from: number, end: number) =>
    Array.from({ length: end - from }, (_, i) => hash(seed, step, encoded.row, symbol, from + i) | 0);
  const ofPictures = (symbol: string, share: number) =>
    layout.packs.flatMap((pack) => {
      const first = firstOf(layout, pack);
      const patches = first.encoded.grids.reduce((sum, grid) => sum + patchCount(grid), 0);
      return keysOf(first, symbol, 0, patches / share);
    });
  const keys: [symbol: string, keys: number[]][] = [
    ['T', tokenKeys(layout, (sample, from, end) => keysOf(sample, 'T', from, end))],
    [`${merged}*M`, ofPictures(`${merged}*M`, 1)],
    ['M', ofPictures('M', merged)],
  ];
  return Object.fromEntries(
    keys.map(([symbol, keys]) => {
      // Without any image the tower runs on a blank one, whose rows no token reads.
      const data = keys.length > 0 ? Int32Array.from(keys) : new Int32Array(symbol === 'M' ? 1 : merged);
      return [dropoutKeysName(symbol), { data, dims: [data.length] }];
    }),
  );
}

function tokenKeys(
  layout: Layout,
  keysOf: (sample: Packable, from: number, end: number) => number[],
): number[] {
  return layout.packs.flatMap((pack) => {
    const shared = pack.prefix.end - pack.prefix.start;
    const own = pack.branches.flatMap(({ sample }) => {
      const branch = layout.samples[sample];
      return keysOf(branch, shared, branch.encoded.ids.length);
    });
    return [...keysOf(firstOf(layout, pack), 0, shared), ...own];
  });
}
