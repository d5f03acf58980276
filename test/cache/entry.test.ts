import { describe, expect, it } from 'vitest';
import {
  decodeEntry,
  type EntryShape,
  encodeEntry,
  entryBytes,
  entryVersion,
} from '../../src/cache/entry.ts';

const shape: EntryShape = { rows: 2, columns: 3, precision: 'f32' };
const values = Float32Array.of(1, -0, 3.5, Number.MIN_VALUE, 1e38, -7);
const bytes = Buffer.concat(encodeEntry('owner', shape, values));
const changed = (at: number, value: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
};

describe('an entry', () => {
  it('gives back the bits it was given', () => {
    expect(bytes).toHaveLength(entryBytes(shape));
    const found = decodeEntry(bytes, 'owner', shape) as Float32Array;
    expect([...new Uint32Array(found.buffer)]).toEqual([...new Uint32Array(values.buffer)]);
    const halves = Uint16Array.of(0x3c00, 0x8000);
    const half: EntryShape = { rows: 1, columns: 2, precision: 'f16' };
    expect(decodeEntry(Buffer.concat(encodeEntry('o', half, halves)), 'o', half)).toEqual(halves);
  });

  it('is refused with any one byte changed, at whatever place', () => {
    for (let at = 0; at < bytes.length; at++) {
      const found = decodeEntry(changed(at, bytes[at] ^ 0x10), 'owner', shape);
      expect(found, `byte ${at}`).toBe(at >= 8 && at < 12 ? 'of another version' : 'damaged');
    }
  });

  it('is refused cut short at whatever place, and longer', () => {
    for (let end = 0; end < bytes.length; end++)
      expect(decodeEntry(bytes.subarray(0, end), 'owner', shape), `${end} bytes`).toBe('cut short');
    expect(decodeEntry(Buffer.concat([bytes, Buffer.of(0)]), 'owner', shape)).toBe('damaged');
  });

  it('is refused of another version, for another owner, shape or precision', () => {
    expect(decodeEntry(changed(8, entryVersion + 1), 'owner', shape)).toBe('of another version');
    expect(decodeEntry(bytes, 'another', shape)).toBe('damaged');
    expect(decodeEntry(bytes, 'owner', { ...shape, rows: 3, columns: 2 })).toBe('damaged');
    expect(decodeEntry(bytes, 'owner', { ...shape, precision: 'f16' })).toBe('damaged');
  });
});
