/** Element types on disk and in graphs. Names follow safetensors, lower-cased. */
export type DType = 'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u8' | 'bool';

export const byteWidth: Record<DType, number> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
};

const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);

export function bf16ToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i] << 16;
  return new Float32Array(out.buffer);
}

/** Rounds to nearest, ties to even, as torch does; NaN stays NaN. */
export function f32ToBf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    real[0] = values[i];
    const bits = word[0];
    out[i] = Number.isNaN(values[i]) ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** All 65,536 of them: looking one up takes a twentieth of working it out. */
let halves: Float32Array | undefined;

export function f16ToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  halves ??= Float32Array.from({ length: 65536 }, (_, half) => halfToNumber(half));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = halves[bits[i]];
  return out;
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds to nearest, ties to even; beyond 65504 becomes infinity. */
export function f32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    real[0] = values[i];
    const sign = (word[0] >>> 16) & 0x8000;
    const size = Math.abs(values[i]);
    if (Number.isNaN(size)) out[i] = sign | 0x7e00;
    else if (size >= 65520) out[i] = sign | 0x7c00;
    else if (size < 2 ** -14) out[i] = sign | roundHalfEven(size * 2 ** 24);
    else {
      const exponent = ((word[0] >>> 23) & 255) - 127;
      // A fraction that rounds up to 1024 carries into the exponent, which is what the format wants.
      out[i] = sign | (((exponent + 15) << 10) + roundHalfEven((size / 2 ** exponent - 1) * 1024));
    }
  }
  return out;
}

/**
 * To the f32 beside it whose last bit is odd, unless it is an f32 itself. A second rounding, to bf16 or f16, then gives
 * what one rounding from f64 would give; through the nearest f32 it would not (Boldo and Melquiond 2008).
 */
export function f64ToOddF32(values: Float64Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < out.length; i++) {
    const exact = values[i];
    const near = out[i];
    if (near === exact || (bits[i] & 1) === 1 || Number.isNaN(exact)) continue;
    bits[i] += Math.abs(near) < Math.abs(exact) ? 1 : -1;
  }
  return out;
}

/** Python's round(): half to even. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
