import { reasonOf } from '../../errors.ts';
import { boundedCodecs } from './codecs.ts';
import { type AsyncBuffer, parquetReadObjects } from './hyparquet.ts';
import { damaged, maxGroupBytes, type ParquetLayout, type RowGroup } from './metadata.ts';

/** Unpacked bytes that are kept beside the group just read: shuffled rows go back and forth between groups. */
const keptBytes = 256 * 2 ** 20;

type Columns = Record<string, unknown>;

interface KeptGroup {
  rows: Promise<Columns[]>;
  /** What it said it takes, or took if that was more. */
  bytes: number;
}

/**
 * Gives a row's columns. Its group is unpacked as a whole, and the last groups are kept as far as `kept` bytes go.
 *
 * @throws LorikeetError 'data' for a group that cannot be read.
 */
export function rowReader(
  buffer: AsyncBuffer,
  { metadata, groups }: ParquetLayout,
  file: string,
  kept = keptBytes,
): (row: number) => Promise<Columns> {
  const known = new Map<RowGroup, KeptGroup>(); // the longest unused first
  const begin = (group: RowGroup): KeptGroup => {
    const { codecs, unpacked } = boundedCodecs(maxGroupBytes);
    const found: KeptGroup = { rows: Promise.resolve([]), bytes: group.bytes };
    found.rows = readGroup(group, codecs).finally(() => {
      found.bytes = Math.max(group.bytes, unpacked());
    });
    return found;
  };
  const readGroup = async ({ start, end }: RowGroup, codecs: ReturnType<typeof boundedCodecs>['codecs']) => {
    const reading = untilItFails(buffer);
    const options = { file: reading.buffer, metadata, rowStart: start, rowEnd: end, compressors: codecs };
    const rows = await parquetReadObjects({ ...options, utf8: false, geoparquet: false }).catch(
      (cause: Error) => {
        reading.fail();
        throw damaged(file, `rows ${start} to ${end - 1}: ${reasonOf(cause)}`, cause);
      },
    );
    if (rows.length === end - start) return rows;
    throw damaged(file, `rows ${start} to ${end - 1} are promised, ${rows.length} are there`);
  };
  return async (row) => {
    const group = groupOf(groups, row);
    const found = known.get(group) ?? begin(group);
    known.delete(group);
    known.set(group, found);
    const rows = await found.rows;
    forget(known, kept);
    return rows[row - group.start];
  };
}

/**
 * hyparquet may stumble over a column when it has begun to read another, whose own failure would then be nobody's: that ends
 * the process. Bytes for which nobody waits any more never come.
 */
function untilItFails({ byteLength, slice }: AsyncBuffer): { buffer: AsyncBuffer; fail(): void } {
  let hasFailed = false;
  return {
    buffer: {
      byteLength,
      slice: async (start, end) => {
        const bytes = await slice(start, end);
        return hasFailed ? new Promise<never>(() => {}) : bytes;
      },
    },
    fail: () => {
      hasFailed = true;
    },
  };
}

function forget(known: Map<RowGroup, KeptGroup>, kept: number): void {
  let bytes = [...known.values()].reduce((sum, group) => sum + group.bytes, 0);
  for (const [group, { bytes: its }] of known) {
    if (bytes <= kept || known.size === 1) return;
    known.delete(group);
    bytes -= its;
  }
}

function groupOf(groups: readonly RowGroup[], row: number): RowGroup {
  let [low, high] = [0, groups.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row < groups[middle].end) high = middle;
    else low = middle + 1;
  }
  return groups[low];
}
