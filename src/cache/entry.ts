/**
 * One kept matrix as a file: 64 bytes that say what it is and prove it whole, then its values. Little-endian:
 * `lorikeet`, version, type, rows, columns, CRC-32 of the values, 32 bytes of owner, CRC-32 of all that.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Precision } from './precision.ts';

/** To be raised whenever these bytes change, or what stands for a matrix in a way that its owner's name does not say. */
export const entryVersion = 1;

/** [rows, columns] as they are kept: f32, or the bits of f16. */
export type KeptValues = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

export interface EntryShape {
  rows: number;
  columns: number;
  precision: Precision;
}

/** Why the bytes of an entry cannot be used. */
export type EntryFault = 'damaged' | 'cut short' | 'of another version';

const magic = Buffer.from('lorikeet');
const headerLength = 64;
const types: Record<Precision, number> = { f32: 1, f16: 2 };

/** Header and values. `owner` is all that the matrix depends on: under it alone it is taken back. */
export function encodeEntry(owner: string, { rows, columns, precision }: EntryShape, values: KeptValues) {
  const bytes = bytesOf(values);
  const header = Buffer.alloc(headerLength);
  magic.copy(header);
  for (const [i, word] of [entryVersion, types[precision], rows, columns, crc32(bytes)].entries())
    header.writeUInt32LE(word, 8 + 4 * i);
  digest(owner).copy(header, 28);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  return [header, bytes] as const;
}

/** The values, or what is wrong with the bytes: nothing of an entry is believed. */
export function decodeEntry(bytes: Buffer, owner: string, shape: EntryShape): KeptValues | EntryFault {
  const header = bytes.subarray(0, headerLength);
  if (header.length < headerLength) return 'cut short';
  if (!header.subarray(0, 8).equals(magic)) return 'damaged';
  if (header.readUInt32LE(8) !== entryVersion) return 'of another version';
  if (header.readUInt32LE(60) !== crc32(header.subarray(0, 60))) return 'damaged';
  const { rows, columns, precision } = shape;
  const words = [types[precision], rows, columns];
  const isOther = words.some((word, i) => header.readUInt32LE(12 + 4 * i) !== word);
  if (isOther || !header.subarray(28, 60).equals(digest(owner))) return 'damaged';
  const payload = bytes.subarray(headerLength);
  const length = entryBytes(shape) - headerLength;
  if (payload.length < length) return 'cut short';
  if (payload.length > length || crc32(payload) !== header.readUInt32LE(24)) return 'damaged';
  const own = payload.buffer.slice(payload.byteOffset, payload.byteOffset + length) as ArrayBuffer;
  return precision === 'f32' ? new Float32Array(own) : new Uint16Array(own);
}

/** Length of an entry's file. */
export function entryBytes({ rows, columns, precision }: EntryShape): number {
  return headerLength + rows * columns * (precision === 'f32' ? 4 : 2);
}

const digest = (owner: string) => createHash('sha256').update(owner).digest();

const bytesOf = ({ buffer, byteOffset, byteLength }: KeptValues) =>
  new Uint8Array(buffer, byteOffset, byteLength);
