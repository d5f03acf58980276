import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { compressors } from './hyparquet.ts';

/** Bytes that one page may unpack to; pyarrow writes pages of 1 MiB, or of one value where that is longer. */
const maxPageBytes = 512 * 2 ** 20;

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;

/** By their names in the format; two of them are Node's own. LZ4 is left out: hyparquet-compressors 1.1.2 fails on what pyarrow writes. */
const known: Record<string, Decompress> = {
  SNAPPY: (input, length) => compressors.SNAPPY!(input, length),
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => compressors.ZSTD!(input, length),
};

export const codecNames: readonly string[] = ['UNCOMPRESSED', ...Object.keys(known)];

/**
 * Decompressors that together unpack at most `most` bytes: a page header may promise anything.
 * Throws a plain Error; the reader of the file tells it with its place.
 */
export function boundedCodecs(most: number): { codecs: Record<string, Decompress>; unpacked(): number } {
  let bytes = 0;
  const bounded = (decompress: Decompress): Decompress => {
    return (input, length) => {
      if (!Number.isSafeInteger(length) || length < 0 || length > maxPageBytes) {
        throw new Error(`a page of at most ${maxPageBytes} bytes expected, its header promises ${length}`);
      }
      bytes += length;
      if (bytes > most) throw new Error(`its pages unpack to more than the ${most} bytes that are allowed`);
      return decompress(input, length);
    };
  };
  const codecs = Object.fromEntries(Object.entries(known).map(([name, inner]) => [name, bounded(inner)]));
  return { codecs, unpacked: () => bytes };
}
