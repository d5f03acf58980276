/**
 * Writes TensorBoard event files: records as TFRecord frames them, each an `Event` of tensorflow/core/util/event.proto.
 * Knows the wire format and nothing of what a scalar means.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { crc32c } from '@node-rs/crc32';

export interface Scalar {
  /** Groups with a slash: `train/loss`. */
  tag: string;
  /** Kept as f32. */
  value: number;
}

export interface ScalarEvent {
  step: number;
  /** Seconds since 1970. */
  wallTime: number;
  scalars: readonly Scalar[];
}

/** The first event of every file: without it TensorBoard takes the file for one of its oldest format. */
export function encodeFileVersion(wallTime: number): Uint8Array {
  return encodeEvent(wallTime, 0, (out) => out.tag(3, WireType.LengthDelimited).string('brain.Event:2'));
}

export function encodeScalars({ step, wallTime, scalars }: ScalarEvent): Uint8Array {
  return encodeEvent(wallTime, step, (out) => {
    out.tag(5, WireType.LengthDelimited).fork();
    for (const { tag, value } of scalars) {
      out.tag(1, WireType.LengthDelimited).fork();
      out.tag(1, WireType.LengthDelimited).string(tag);
      out.tag(2, WireType.Bit32).float(value);
      out.join();
    }
    out.join();
  });
}

function encodeEvent(wallTime: number, step: number, write: (out: BinaryWriter) => void): Uint8Array {
  const out = new BinaryWriter();
  out.tag(1, WireType.Bit64).double(wallTime);
  if (step !== 0) out.tag(2, WireType.Varint).int64(step);
  write(out);
  return out.finish();
}

/** Length, its checksum, the bytes, their checksum; all little-endian. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(8 + 4 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length));
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

/** CRC32C, rotated and shifted by a constant, so that a checksum over bytes that hold checksums still means something. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** An event file that is being written. Readers may open it at any moment: it only ever grows by whole records. */
export interface EventFile {
  add(event: ScalarEvent): void;
  /** Bytes of the file, once the disk has them. */
  flushed(): number;
  close(): void;
}

/**
 * Creates the file, or empties it; `keep` bytes of its beginning stay, the end of a record, where it has as many. Throws
 * what the system says where it cannot be written; so does `add`.
 */
export function openEventFile(file: string, wallTime: number, keep = 0): EventFile {
  const has = keep > 0 ? (statSync(file, { throwIfNoEntry: false })?.size ?? 0) : 0;
  const handle = openSync(file, has >= keep && keep > 0 ? 'r+' : 'w');
  if (fstatSync(handle).size > 0) ftruncateSync(handle, keep);
  else appendRecord(handle, encodeFileVersion(wallTime));
  return {
    add: (event) => appendRecord(handle, encodeScalars(event)),
    flushed: () => {
      fsyncSync(handle);
      return fstatSync(handle).size;
    },
    close: () => closeSync(handle),
  };
}

/** A whole record or nothing of it: TensorBoard reads no further than the first that is cut. */
function appendRecord(handle: number, event: Uint8Array): void {
  const record = frameRecord(event);
  const { size } = fstatSync(handle);
  let done = 0;
  try {
    while (done < record.length) done += writeSync(handle, record, done, record.length - done, size + done);
  } catch (error) {
    ftruncateSync(handle, size);
    throw error;
  }
}
