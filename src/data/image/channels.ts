import type { RgbImage } from '../processor.ts';

/** Decoded channels before any change of colour: data[(y * width + x) * channels + channel]. */
export interface RawImage {
  width: number;
  height: number;
  channels: number;
  kind: 'grey' | 'rgb' | 'cmyk';
  data: Uint8Array | Uint16Array;
}

/** What becomes of 16-bit grey: `clip` at 255 as Pillow does, or `scale` by the bits in use. */
export type SixteenBit = 'clip' | 'scale';

export interface ChannelOptions {
  sixteenBit: SixteenBit;
  /** The grey stands beside an alpha channel of its own. */
  greyWithAlpha: boolean;
}

/**
 * What Pillow's `convert("RGB")` makes of these channels: alpha is dropped, not blended; 16-bit colour keeps
 * its high byte; CMYK is inverted and multiplied. 16-bit grey is clipped at 255, not scaled, except beside an
 * alpha channel of its own, where Pillow reads it as colour; `scale` leaves Pillow's way for all 16-bit grey.
 */
export function toRgb(raw: RawImage, { sixteenBit, greyWithAlpha }: ChannelOptions): RgbImage {
  const { width, height } = raw;
  if (raw.kind === 'rgb' && raw.channels === 3 && raw.data instanceof Uint8Array) {
    return { width, height, data: raw.data };
  }
  const data = new Uint8Array(width * height * 3);
  if (raw.kind === 'cmyk') fromCmyk(raw, data);
  else if (raw.data instanceof Uint8Array) pick(raw, data, (value) => value);
  else if (raw.kind === 'grey' && sixteenBit === 'scale') pick(raw, data, scaled(raw));
  else if (raw.kind === 'rgb' || greyWithAlpha) pick(raw, data, (value) => value >> 8);
  else pick(raw, data, (value) => Math.min(value, 255));
  return { width, height, data };
}

/** Depths that scanners and detectors give. */
const depths = [8, 10, 12, 14, 16];

/** To 0..255 from the fewest of these bits that hold the picture's largest value: round(255 v / (2^bits - 1)). */
function scaled({ data, channels }: RawImage): (value: number) => number {
  let largest = 0;
  for (let at = 0; at < data.length; at += channels) if (data[at] > largest) largest = data[at];
  const bits = depths.find((depth) => largest < 2 ** depth)!;
  return (value) => Math.round((255 * value) / (2 ** bits - 1));
}

function pick(raw: RawImage, out: Uint8Array, narrow: (value: number) => number): void {
  const step = raw.channels;
  const [green, blue] = raw.kind === 'grey' ? [0, 0] : [1, 2];
  for (let to = 0, from = 0; to < out.length; to += 3, from += step) {
    out[to] = narrow(raw.data[from]);
    out[to + 1] = narrow(raw.data[from + green]);
    out[to + 2] = narrow(raw.data[from + blue]);
  }
}

/** Paper white less black, less each ink on what the black left. */
function fromCmyk(raw: RawImage, out: Uint8Array): void {
  const shift = raw.data instanceof Uint16Array ? 8 : 0;
  for (let to = 0, from = 0; to < out.length; to += 3, from += raw.channels) {
    const light = 255 - (raw.data[from + 3] >> shift);
    for (let c = 0; c < 3; c++) {
      const product = (raw.data[from + c] >> shift) * light + 128;
      out[to + c] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
}
