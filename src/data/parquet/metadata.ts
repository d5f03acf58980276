import { reasonOf } from '../../errors.ts';
import { codecNames } from './codecs.ts';
import { refused } from './file.ts';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync } from './hyparquet.ts';

/** What a file says of itself, checked as far as a reader relies on it. */
export interface ParquetLayout {
  metadata: FileMetaData;
  groups: RowGroup[];
  rows: number;
}

/** Rows that are stored, and read, together: `start` to `end`, `bytes` of them unpacked. */
export interface RowGroup {
  start: number;
  end: number;
  bytes: number;
}

const maxMetadataBytes = 64 * 2 ** 20;
const maxRows = 2 ** 31;

/** A group is unpacked as a whole; the `datasets` library writes pictures in groups of 100 rows. */
export const maxGroupBytes = 2 ** 30;

/** @throws LorikeetError 'data' for metadata that is damaged, and for what is not supported, each by its name. */
export async function readLayout(buffer: AsyncBuffer, file: string): Promise<ParquetLayout> {
  await checkMetadataLength(buffer, file);
  const metadata = await parquetMetadataAsync(buffer, { geoparquet: false }).catch((cause: Error) => {
    throw damaged(file, reasonOf(cause), cause);
  });
  checkColumns(metadata, file);
  const groups: RowGroup[] = [];
  let rows = 0;
  for (const { num_rows: count, total_byte_size: bytes } of metadata.row_groups) {
    const group = { start: rows, end: rows + Number(count), bytes: Number(bytes) };
    if (!(group.end >= rows && group.end <= maxRows && group.bytes >= 0)) {
      throw damaged(file, `a row group of ${count} rows in ${bytes} bytes`);
    }
    if (group.bytes > maxGroupBytes) throw tooLarge(file, group);
    groups.push(group);
    rows = group.end;
  }
  if (rows !== Number(metadata.num_rows)) {
    throw damaged(file, `it promises ${metadata.num_rows} rows, and its row groups ${rows}`);
  }
  return { metadata, groups, rows };
}

async function checkMetadataLength(buffer: AsyncBuffer, file: string): Promise<void> {
  const tail = new DataView(await buffer.slice(buffer.byteLength - 8, buffer.byteLength));
  const length = tail.getUint32(0, true);
  if (length > buffer.byteLength - 12) {
    throw damaged(file, `its metadata is to be ${length} bytes, the file has ${buffer.byteLength}`);
  }
  if (length > maxMetadataBytes) {
    throw refused(
      file,
      `metadata of at most ${maxMetadataBytes} bytes expected, got ${length}`,
      'Split the file, or write it with fewer and larger row groups.',
    );
  }
}

function checkColumns({ schema, row_groups: groups }: FileMetaData, file: string): void {
  if (schema.some(({ name }) => name === '__proto__')) {
    throw refused(file, 'column names expected, got "__proto__"', 'Give the column another name.');
  }
  for (const { columns } of groups) {
    for (const { meta_data: meta, crypto_metadata: crypto, file_path: elsewhere } of columns) {
      if (crypto !== undefined || meta === undefined) {
        throw refused(file, 'readable columns expected, got an encrypted one', 'Save it without encryption.');
      }
      if (elsewhere) {
        throw refused(file, 'all columns expected in this file, got one in another', 'Write it as one file.');
      }
      if (!codecNames.includes(meta.codec)) throw unknownCodec(file, meta.path_in_schema, meta.codec);
    }
  }
}

function unknownCodec(file: string, path: readonly string[], codec: string | undefined) {
  return refused(
    file,
    `column ${path.join('.')} expected a compression of ${codecNames.join(', ')}, got ${codec ?? 'an unknown one'}`,
    'Write it anew, in pandas: frame.to_parquet("train.parquet", compression="snappy").',
  );
}

function tooLarge(file: string, { start, end, bytes }: RowGroup) {
  return refused(
    file,
    `row groups of at most ${maxGroupBytes} bytes expected, got rows ${start} to ${end - 1} in one of ${bytes}`,
    'Write it with smaller groups, in pyarrow: parquet.write_table(table, "train.parquet", row_group_size=100).',
  );
}

export function damaged(file: string, reason: string, cause?: unknown) {
  return refused(
    file,
    `parquet expected, got damaged parquet: ${reason.split('\n')[0].slice(0, 300)}`,
    'Copy or download it again.',
    cause,
  );
}
