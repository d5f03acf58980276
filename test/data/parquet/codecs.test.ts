import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { boundedCodecs } from '../../../src/data/parquet/codecs.ts';

const page = new Uint8Array(10_000).fill(7);

describe('unpacking a page', () => {
  it.each([
    ['GZIP', gzipSync(page)],
    ['BROTLI', brotliCompressSync(page)],
  ])('%s gives its bytes, and stops where there are more than its header promises', (codec, packed) => {
    const { codecs, unpacked } = boundedCodecs(1e6);
    expect([...codecs[codec](packed, page.length)]).toEqual([...page]);
    expect(unpacked()).toBe(page.length);
    expect(() => codecs[codec](packed, 100)).toThrow();
  });

  it.each(['SNAPPY', 'GZIP', 'BROTLI', 'ZSTD'])(
    '%s takes no memory for a promise without measure',
    (codec) => {
      for (const promised of [2 ** 31, -1, Number.NaN, 1.5]) {
        expect(() => boundedCodecs(2 ** 40).codecs[codec](new Uint8Array(8), promised)).toThrow(
          /a page of at most 536870912 bytes expected/,
        );
      }
    },
  );

  it('counts over the pages of a group', () => {
    const { codecs } = boundedCodecs(25_000);
    const packed = gzipSync(page);
    codecs.GZIP(packed, page.length);
    codecs.GZIP(packed, page.length);
    expect(() => codecs.GZIP(packed, page.length)).toThrow(/more than the 25000 bytes/);
  });
});
