import { withPlace } from '../place.ts';
import type { Table } from '../table.ts';
import { openParquetFile } from './file.ts';
import { damaged, readLayout } from './metadata.ts';
import { rowReader } from './row-groups.ts';
import { plainValue } from './values.ts';

/**
 * A parquet file as rows, as the hub ships data sets. Rows are read a row group at a time when one of them is asked
 * for; pictures stand in them as bytes.
 *
 * @throws LorikeetError 'data' where it cannot be read as parquet.
 */
export async function openParquet(file: string): Promise<Table> {
  const { buffer, sha256 } = await openParquetFile(file);
  const layout = await readLayout(buffer, file);
  const read = rowReader(buffer, layout, file);
  const place = (row: number) => ({ file, row });
  const value = async (row: number) => {
    const columns = await read(row).catch((error) => {
      throw withPlace(error, place(row));
    });
    try {
      return plainValue(columns);
    } catch (cause) {
      throw withPlace(damaged(file, (cause as Error).message, cause), place(row));
    }
  };
  return { file, sha256, length: layout.rows, place, value };
}
