/** The sizes of everything that a run puts through its graphs, from the pass over its data. */
import type { PictureSize, Survey } from '../check/survey.ts';
import type { Config } from '../config/schema.ts';
import { type BatchSize, batchSize, type ImageTokens } from './batch-sizes.ts';
import type { CourseStep, RowSize } from './course.ts';
import type { Split } from './events.ts';
import type { RowAlone, RunSizes } from './memory-need.ts';
import { microBatches } from './micro-batches.ts';
import { courseOf, drawRows } from './planned-course.ts';
import { rowSizes } from './sharing.ts';
import { lookAheadBytes } from './source.ts';

export interface SurveyedData {
  train: Survey;
  validation?: Survey;
}

/**
 * @param width of an image token's embedding.
 * @param bytesPerImageToken of the patches that become one image token.
 */
export function runSizes(
  { train, validation }: SurveyedData,
  config: Pick<Config, 'train' | 'pack' | 'cache'>,
  { width }: { width: number },
  bytesPerImageToken: number,
): RunSizes {
  const imageTokens: ImageTokens = (bytes) => Math.round(bytes / bytesPerImageToken);
  const trained = rowSizes(train, config.pack);
  const held = validation && rowSizes(validation, config.pack);
  const runs = function* (batches: Iterable<readonly number[]>, sizes: readonly RowSize[]) {
    for (const batch of batches)
      yield { size: batchSize(batch, sizes, imageTokens), pictures: picturesOf(batch, sizes) };
  };
  const beside = held ? drawRows(train, config.train.gapRows, config.train.seed, 'gap rows') : [];
  const pictures = new Map<string, number>();
  const meet = (batches: Iterable<readonly number[]>, sizes: readonly RowSize[], survey: Survey) => {
    for (const content of picturesIn(batches, sizes)) {
      // A row that was lost before a resume keeps its place in the order, and its picture may be gone.
      const picture = survey.pictures.get(content);
      if (picture) pictures.set(content, picture.tokens);
    }
  };
  meet(batchesOf(courseOf(config, trained)()), trained, train);
  meet([beside], trained, train);
  if (held) meet([[...held.keys()]], held, validation);
  const cut = (maxTokens: number) => ({ ...config, pack: { ...config.pack, maxTokens } });
  return {
    *training(maxTokens) {
      yield* runs(batchesOf(courseOf(cut(maxTokens), trained)()), trained);
    },
    *evaluation(maxTokens) {
      if (!held) return;
      yield* runs(microBatches([...held.keys()], held, maxTokens), held);
      yield* runs(microBatches(beside, trained, maxTokens), trained);
    },
    rows: [...rowsAlone('train', trained, imageTokens), ...rowsAlone('validation', held ?? [], imageTokens)],
    answered: held && config.train.evaluateAnswers > 0 ? longestOf(held, imageTokens) : undefined,
    pictures,
    keptTokenBytes: width * (config.cache.precision === 'f16' ? 2 : 4),
    pixelBytesAhead: aheadOf([...pictures.values()].map((tokens) => tokens * bytesPerImageToken)),
  };
}

function rowsAlone(split: Split, sizes: readonly RowSize[], imageTokens: ImageTokens): RowAlone[] {
  return sizes.map(({ pictures = [], pixelBytes }, index) => ({
    split,
    index,
    size: batchSize([index], sizes, imageTokens),
    pictures: [...pictures],
    pixelBytes,
  }));
}

function longestOf(sizes: readonly RowSize[], imageTokens: ImageTokens): BatchSize {
  const longest = sizes.reduce((best, size, row) => (size.tokens > sizes[best].tokens ? row : best), 0);
  return batchSize([longest], sizes, imageTokens);
}

/** The pictures that a run puts through the tower, by content: those of a shared beginning once. */
function picturesOf(batch: readonly number[], sizes: readonly RowSize[]): string[] {
  const begun = new Set<number>();
  return batch.flatMap((row) => {
    const { prefix, pictures = [] } = sizes[row];
    const isKnown = prefix !== undefined && begun.has(prefix.group);
    if (prefix) begun.add(prefix.group);
    return isKnown ? [] : pictures;
  });
}

/** Pixels of all pictures, or as many as may wait: the bound is passed by one picture at most. */
function aheadOf(pixelBytes: readonly number[]): number {
  const [sum, most] = pixelBytes.reduce(([all, largest], own) => [all + own, Math.max(largest, own)], [0, 0]);
  return Math.min(sum, lookAheadBytes + most);
}

/** Different ones: rows on their way share them. */
function picturesIn(batches: Iterable<readonly number[]>, sizes: readonly RowSize[]): Set<string> {
  const found = new Set<string>();
  for (const batch of batches)
    for (const row of batch) for (const content of sizes[row].pictures ?? []) found.add(content);
  return found;
}

function* batchesOf(steps: Iterable<CourseStep>): Generator<number[]> {
  for (const { batches } of steps) yield* batches;
}

/** The same data with its pictures in fewer tokens. */
export function withSmallerPictures(
  { train, validation }: SurveyedData,
  tokensOf: (picture: PictureSize) => number,
  bytesPerImageToken: number,
): SurveyedData {
  const shrink = (survey: Survey): Survey => {
    const { sizes, contents, prefixes, pictures } = survey;
    const saved = contents.map((row) =>
      row.reduce((sum, content) => {
        const picture = pictures.get(content)!;
        return sum + picture.tokens - tokensOf(picture);
      }, 0),
    );
    return {
      ...survey,
      sizes: sizes.map((size, i) => ({
        ...size,
        tokens: size.tokens - saved[i],
        pixelBytes: size.pixelBytes - saved[i] * bytesPerImageToken,
      })),
      // Every picture of a row stands in what it shares.
      prefixes: prefixes.map((prefix, i) => prefix && { ...prefix, tokens: prefix.tokens - saved[i] }),
      pictures: new Map(
        [...pictures].map(([content, picture]) => [content, { ...picture, tokens: tokensOf(picture) }]),
      ),
    };
  };
  return { train: shrink(train), ...(validation && { validation: shrink(validation) }) };
}
