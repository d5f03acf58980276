/** Parquet is read as pyarrow reads it: the expected rows were read back by `reference/make_parquet.py`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openParquetFile } from '../../../src/data/parquet/file.ts';
import { readLayout } from '../../../src/data/parquet/metadata.ts';
import { rowReader } from '../../../src/data/parquet/row-groups.ts';
import { openTable, type Table } from '../../../src/data/table.ts';
import { LorikeetError } from '../../../src/errors.ts';
import { folderOf } from '../folder.ts';

const fixtures = new URL('../../fixtures/parquet/', import.meta.url).pathname;
const expected: Record<string, unknown[]> = JSON.parse(readFileSync(`${fixtures}rows.json`, 'utf8'));
const bytesOf = (name: string) => readFileSync(`${fixtures}${name}.parquet`);

const allRows = (table: Table) =>
  Promise.all(Array.from({ length: table.length }, (_, row) => table.value(row)));

/** Bytes as their hash, as the reference writes them. */
function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return { sha256: createHash('sha256').update(value).digest('hex') };
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, readable(item)]));
}

describe('a parquet table', () => {
  it.each(Object.keys(expected))('%s has the rows that pyarrow reads', async (name) => {
    const table = await openTable(`${fixtures}${name}.parquet`);
    expect(readable(await allRows(table))).toEqual(expected[name]);
    expect(table.sha256).toBe(createHash('sha256').update(bytesOf(name)).digest('hex'));
    expect(table.place(3)).toEqual({ file: table.file, row: 3 });
  });

  it('reads a row group once for all its rows, keeps what fits, and reads again what it let go', async () => {
    const file = `${fixtures}flat-snappy.parquet`;
    const { buffer } = await openParquetFile(file);
    const layout = await readLayout(buffer, file);
    let reads = 0;
    const counting = {
      byteLength: buffer.byteLength,
      slice: (start: number, end?: number) => {
        reads++;
        return buffer.slice(start, end);
      },
    };
    const during = async (row: (n: number) => Promise<unknown>, rows: number[]) => {
      reads = 0;
      for (const n of rows) await row(n);
      return reads;
    };
    const roomy = rowReader(counting, layout, file);
    const first = await during(roomy, [0]);
    expect(first).toBeGreaterThan(0);
    expect(await during(roomy, [1, 0])).toBe(0);
    await roomy(2);
    expect(await during(roomy, [0, 3, 1])).toBe(0);
    const tight = rowReader(counting, layout, file, 0);
    await tight(0);
    expect(await during(tight, [1])).toBe(0);
    await tight(2);
    expect(await during(tight, [0])).toBe(first);
  });
});

describe('refuses in one sentence', () => {
  const good = bytesOf('flat-snappy');
  const with_ = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  };
  const metadataAt = good.length - 8 - good.readUInt32LE(good.length - 8);

  const opened = async (bytes: Uint8Array) => {
    const table = await openTable(join(folderOf({ 'rows.parquet': bytes }), 'rows.parquet'));
    return allRows(table);
  };
  const refusal = async (bytes: Uint8Array): Promise<LorikeetError> => {
    const error = await opened(bytes).then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(LorikeetError);
    expect(error.code).toBe('data');
    expect(error.message).toMatch(/rows\.parquet/);
    expect(error.message).not.toContain('\n');
    return error;
  };

  it.each<[string, Uint8Array, RegExp, RegExp]>([
    ['JSON lines', Buffer.from('{"image":"a.png"}\n'), /does not begin with PAR1/, /\.jsonl/],
    ['nothing', new Uint8Array(), /does not begin with PAR1/, /\.jsonl/],
    ['a file cut short', good.subarray(0, good.length - 100), /cut short/, /download it again/],
    ['an encrypted file', with_((b) => b.write('PARE', b.length - 4)), /encrypted/, /without encryption/],
    [
      'metadata longer than the file',
      with_((b) => b.writeUInt32LE(2 ** 31, b.length - 8)),
      /metadata/,
      /again/,
    ],
    ['metadata that is noise', with_((b) => b.fill(0xff, metadataAt, b.length - 8)), /damaged/, /again/],
    [
      'metadata whose parts are missing',
      Buffer.concat([good.subarray(0, -2000), good.subarray(-1935)]),
      /damaged parquet: its parts are not as the format/,
      /again/,
    ],
    [
      'a schema that lacks a column, while pages of another are noise: the failure that nobody waits for ended the process',
      with_((b) => {
        b.fill(0xff, 4, 2000);
        b[b.indexOf('answer', metadataAt)] ^= 1;
      }),
      /rows 0 to 1: parquet schema element not found/,
      /again/,
    ],
    ['pages that are noise', with_((b) => b.fill(0xff, 4, 2000)), /rows 0 to 1/, /again/],
  ])('%s', async (_, bytes, what, fix) => {
    const error = await refusal(bytes);
    expect(error.what).toMatch(what);
    expect(error.fix).toMatch(fix);
  });

  it('a compression that is not read, with its column', async () => {
    const { what, fix } = await refusal(bytesOf('lz4'));
    expect(what).toMatch(
      /column image\.bytes expected a compression of UNCOMPRESSED, SNAPPY.*, got LZ4_RAW$/,
    );
    expect(fix).toContain('to_parquet');
  });
});
