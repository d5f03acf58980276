import type { RgbImage } from '../data/processor.ts';

/** Sides, in pixels, of the grid that is hashed and of the small copy that confirms a match. */
const hashSide = 32;
const copySide = 16;

/** Rows and columns of the DCT that make the 64 bits: the lowest frequencies. */
const frequencies = 8;

/**
 * Sums of the DCT less than this above the median are told from nothing but noise: a quarter of a level over all fields. Without
 * it a drawing on a plain ground changes up to 24 bits where it is saved anew; with it, 5.
 */
const flat = 250;

/** What a picture looks like, in few bytes. */
export interface Look {
  /** 64 bits, high half first: two looks that differ in few of them look alike. */
  bits: readonly [high: number, low: number];
  /** A copy of 16 x 16 pixels, RGB. */
  copy: Uint8Array;
}

/**
 * A perceptual hash: the picture's luminance in 32 x 32 fields, its DCT-II, and of the 8 x 8 lowest frequencies whether each
 * lies above their median (the constant one apart, which brightness alone moves).
 */
export function lookOf(image: RgbImage): Look {
  const fields = shrink(image, hashSide);
  const luminance = new Float64Array(hashSide ** 2);
  for (let i = 0; i < luminance.length; i++) {
    luminance[i] = 0.299 * fields[3 * i] + 0.587 * fields[3 * i + 1] + 0.114 * fields[3 * i + 2];
  }
  return { bits: bitsOf(lowFrequencies(luminance)), copy: halved(fields, hashSide) };
}

/** Means of a grid of fields, [side, side, 3]; a picture smaller than the grid repeats its pixels. */
function shrink({ width, height, data }: RgbImage, side: number): Float64Array {
  const fields = new Float64Array(side * side * 3);
  const columns = borders(width, side);
  const rows = borders(height, side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      let [red, green, blue] = [0, 0, 0];
      const [left, right] = columns[column];
      for (let y = rows[row][0]; y < rows[row][1]; y++) {
        const end = (y * width + right) * 3;
        for (let at = (y * width + left) * 3; at < end; at += 3) {
          red += data[at];
          green += data[at + 1];
          blue += data[at + 2];
        }
      }
      const pixels = (right - left) * (rows[row][1] - rows[row][0]);
      fields.set([red / pixels, green / pixels, blue / pixels], (row * side + column) * 3);
    }
  }
  return fields;
}

function borders(length: number, parts: number): [from: number, to: number][] {
  return Array.from({ length: parts }, (_, i) => {
    const from = Math.floor((i * length) / parts);
    return [from, Math.max(from + 1, Math.floor(((i + 1) * length) / parts))];
  });
}

function halved(fields: Float64Array, side: number): Uint8Array {
  const copy = new Uint8Array(copySide * copySide * 3);
  for (let y = 0; y < copySide; y++) {
    for (let x = 0; x < copySide * 3; x++) {
      const at = 2 * y * side * 3 + 6 * Math.floor(x / 3) + (x % 3);
      const sum = fields[at] + fields[at + 3] + fields[at + side * 3] + fields[at + side * 3 + 3];
      copy[y * copySide * 3 + x] = Math.round(sum / 4);
    }
  }
  return copy;
}

/** [frequency, place] of the DCT-II. */
const cosines = Array.from({ length: frequencies }, (_, k) =>
  Float64Array.from({ length: hashSide }, (_, n) => Math.cos((Math.PI * k * (2 * n + 1)) / (2 * hashSide))),
);

/** [8, 8], the vertical frequency first. */
function lowFrequencies(luminance: Float64Array): Float64Array {
  const rows = new Float64Array(hashSide * frequencies);
  for (let y = 0; y < hashSide; y++) {
    for (let k = 0; k < frequencies; k++) {
      let sum = 0;
      for (let x = 0; x < hashSide; x++) sum += luminance[y * hashSide + x] * cosines[k][x];
      rows[y * frequencies + k] = sum;
    }
  }
  const result = new Float64Array(frequencies ** 2);
  for (let k = 0; k < frequencies; k++) {
    for (let x = 0; x < frequencies; x++) {
      let sum = 0;
      for (let y = 0; y < hashSide; y++) sum += rows[y * frequencies + x] * cosines[k][y];
      result[k * frequencies + x] = sum;
    }
  }
  return result;
}

function bitsOf(values: Float64Array): [number, number] {
  const threshold = values.slice(1).sort()[31] + flat;
  const half = (from: number) => {
    let bits = 0;
    for (let i = from; i < from + 32; i++) bits = (bits << 1) | (i > 0 && values[i] > threshold ? 1 : 0);
    return bits >>> 0;
  };
  return [half(0), half(32)];
}

/** How many of the 64 bits differ. */
export function distance(a: Look['bits'], b: Look['bits']): number {
  return ones(a[0] ^ b[0]) + ones(a[1] ^ b[1]);
}

function ones(bits: number): number {
  let x = bits - ((bits >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Values in a row of a small copy. */
const rowLength = copySide * 3;

/** A change of brightness up to this many levels is taken off before two copies are compared. */
const brightness = 16;

/**
 * Root mean square of the difference of two small copies, in levels, their difference in brightness taken off. Infinite
 * where it is above `most`, which mostly shows after a few rows.
 */
export function difference(a: Uint8Array, b: Uint8Array, most = Number.POSITIVE_INFINITY): number {
  const mostSquares = most ** 2 * a.length;
  let sum = 0;
  let squares = 0;
  for (let row = 0; row < a.length; row += rowLength) {
    for (let i = row; i < row + rowLength; i++) {
      const d = a[i] - b[i];
      sum += d;
      squares += d * d;
    }
    // No brightness leaves less of these rows than their own mean does.
    if (squares - (sum * sum) / (row + rowLength) > mostSquares) return Number.POSITIVE_INFINITY;
  }
  const mean = sum / a.length;
  const offset = Math.max(-brightness, Math.min(brightness, mean));
  const rms = Math.sqrt(Math.max(0, squares / a.length - 2 * offset * mean + offset ** 2));
  return rms <= most ? rms : Number.POSITIVE_INFINITY;
}
