import type { RowSize } from './course.ts';
import type { Sample, SampleImage } from './step.ts';

/** A sample and its index among the rows that are used. */
export interface LoadedSample extends Sample {
  index: number;
}

/** The rows of a split that are used, by index from 0. */
export interface SampleSource {
  sizes: readonly RowSize[];
  /** The data file, for errors. */
  file?: string;
  /** Loads batches in order, ahead of the one that is asked for. A batch lacks the rows that were skipped. */
  stream(batches: Iterable<number[]>): AsyncGenerator<LoadedSample[]>;
}

/** Pixels that may wait in memory, decoded ahead of the trainer. */
export const lookAheadBytes = 128 * 2 ** 20;

export interface SourceOptions {
  /** Reads, decodes and encodes one row; nothing where it is to be skipped. */
  load(index: number): Promise<Sample | undefined>;
  /** Pixel bytes that may wait in memory; one batch is always loaded ahead. */
  lookAheadBytes: number;
  /** Called with the pictures of a batch before it is handed out, and with those of batches behind it that are loaded. */
  embed?: (images: readonly SampleImage[], ahead: readonly SampleImage[]) => Promise<unknown>;
  file?: string;
}

export function createSource(sizes: readonly RowSize[], options: SourceOptions): SampleSource {
  return { sizes, file: options.file, stream: (batches) => streamBatches(batches, sizes, options) };
}

interface Waiting {
  samples: Promise<LoadedSample[]>;
  /** The same, once they are there. */
  loaded: LoadedSample[];
  bytes: number;
}

async function* streamBatches(
  batches: Iterable<number[]>,
  sizes: readonly RowSize[],
  { load, lookAheadBytes, embed }: SourceOptions,
): AsyncGenerator<LoadedSample[]> {
  const ahead = batches[Symbol.iterator]();
  const waiting: Waiting[] = [];
  let bytes = 0;
  let ended = false;
  const refill = () => {
    while (!ended && (waiting.length < 2 || (bytes < lookAheadBytes && waiting.length < 64))) {
      const next = ahead.next();
      if (next.done) {
        ended = true;
        return;
      }
      const request = requestBatch(next.value, sizes, load);
      waiting.push(request);
      bytes += request.bytes;
    }
  };
  for (refill(); waiting.length > 0; refill()) {
    const first = waiting.shift()!;
    const samples = await first.samples;
    bytes -= first.bytes;
    refill(); // the next ones load while the caller computes
    await embed?.(
      imagesOf(samples),
      waiting.flatMap(({ loaded }) => imagesOf(loaded)),
    );
    yield samples;
  }
}

function imagesOf(samples: readonly Sample[]): SampleImage[] {
  return samples.flatMap(({ images }) => images);
}

function requestBatch(batch: number[], sizes: readonly RowSize[], load: SourceOptions['load']): Waiting {
  const samples = Promise.all(batch.map(load)).then((loaded) =>
    loaded.flatMap((sample, i) => {
      const index = batch[i];
      return sample ? [{ ...sample, index, prefix: sizes[index].prefix }] : [];
    }),
  );
  const bytes = batch.reduce((sum, index) => sum + sizes[index].pixelBytes, 0);
  const waiting: Waiting = { samples, loaded: [], bytes };
  samples.then(
    (loaded) => {
      waiting.loaded = loaded;
    },
    () => {}, // seen where the batch is awaited, which may be much later
  );
  return waiting;
}
