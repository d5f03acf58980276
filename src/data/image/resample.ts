import { LorikeetError } from '../../errors.ts';
import type { RgbImage } from '../processor.ts';

/** Fraction bits of a fixed-point weight: 32, less 8 for the pixel and 2 for the sum's overshoot. */
const fractionBits = 22;
const half = 1 << (fractionBits - 1);

/** For each place on the output axis: the first input place it reads, how many, and their weights. */
interface Taps {
  starts: Int32Array;
  counts: Int32Array;
  /** [output, stride], fixed point. */
  weights: Int32Array;
  stride: number;
}

/**
 * Antialiased bicubic resize, byte for byte as Pillow's `resize((width, height), BICUBIC)` on 8-bit RGB:
 * rows first, then columns, with 22-bit fixed-point weights and a rounded 8-bit image in between.
 */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  if (!isSize(width) || !isSize(height)) {
    throw new LorikeetError('image', {
      what: `resize expected a width and a height above 0, got ${width}x${height}`,
      fix: 'Ask for whole numbers of pixels.',
    });
  }
  let { data } = image;
  // Pillow turns the order round for pictures this narrow, where the rounding in between then differs.
  const columnsFirst = image.height > image.width * 100 && height < image.height;
  if (columnsFirst) data = resizeColumns(data, image.width, image.height, height);
  if (width !== image.width)
    data = resizeRows(data, image.width, columnsFirst ? height : image.height, width);
  if (!columnsFirst && height !== image.height) data = resizeColumns(data, width, image.height, height);
  return { width, height, data: data === image.data ? data.slice() : data };
}

function isSize(n: number): boolean {
  return Number.isInteger(n) && n > 0;
}

/** Keys' cubic convolution (1981) with a = -0.5. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** The kernel widens with the reduction (antialiasing) and is cut off at the edges, then normalised. */
function tapsFor(input: number, output: number): Taps {
  const scale = input / output;
  const reduction = Math.max(scale, 1);
  const support = 2 * reduction;
  const inverse = 1 / reduction;
  const stride = Math.ceil(support) * 2 + 1;
  const taps: Taps = {
    starts: new Int32Array(output),
    counts: new Int32Array(output),
    weights: new Int32Array(output * stride),
    stride,
  };
  const row = new Float64Array(stride);
  for (let o = 0; o < output; o++) {
    const center = (o + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(input, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      row[i] = cubic((i + start - center + 0.5) * inverse);
      sum += row[i];
    }
    taps.starts[o] = start;
    taps.counts[o] = count;
    for (let i = 0; i < count; i++) {
      taps.weights[o * stride + i] = fixed(sum === 0 ? row[i] : row[i] / sum);
    }
  }
  return taps;
}

function fixed(weight: number): number {
  return Math.trunc(weight * (1 << fractionBits) + (weight < 0 ? -0.5 : 0.5));
}

function resizeRows(data: Uint8Array, width: number, height: number, toWidth: number): Uint8Array {
  const { starts, counts, weights, stride } = tapsFor(width, toWidth);
  // A clamped array would round halves; the shift below has already rounded, so it only clips.
  const out = new Uint8ClampedArray(toWidth * height * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const line = y * width * 3;
    for (let x = 0; x < toWidth; x++) {
      let r = half;
      let g = half;
      let b = half;
      let p = line + starts[x] * 3;
      const end = x * stride + counts[x];
      for (let k = x * stride; k < end; k++) {
        const weight = weights[k];
        r = (r + Math.imul(data[p], weight)) | 0;
        g = (g + Math.imul(data[p + 1], weight)) | 0;
        b = (b + Math.imul(data[p + 2], weight)) | 0;
        p += 3;
      }
      out[at] = r >> fractionBits;
      out[at + 1] = g >> fractionBits;
      out[at + 2] = b >> fractionBits;
      at += 3;
    }
  }
  return new Uint8Array(out.buffer);
}

function resizeColumns(data: Uint8Array, width: number, height: number, toHeight: number): Uint8Array {
  const { starts, counts, weights, stride } = tapsFor(height, toHeight);
  const pitch = width * 3;
  const out = new Uint8ClampedArray(pitch * toHeight);
  const sums = new Int32Array(pitch);
  for (let y = 0; y < toHeight; y++) {
    sums.fill(half);
    for (let k = 0; k < counts[y]; k++) {
      const weight = weights[y * stride + k];
      const from = (starts[y] + k) * pitch;
      for (let i = 0; i < pitch; i++) sums[i] += Math.imul(data[from + i], weight);
    }
    const to = y * pitch;
    for (let i = 0; i < pitch; i++) out[to + i] = sums[i] >> fractionBits;
  }
  return new Uint8Array(out.buffer);
}
