import { BrokenImage, saveAnew } from './broken.ts';

/** What the first directory of a TIFF file says of its pixels. */
export interface TiffHeader {
  /** Tag 274, 1..8: Pillow turns TIFF pictures (and only those) upright as it loads them. */
  orientation: number;
}

const tags = {
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
  extraSamples: 338,
  sampleFormat: 339,
} as const;

/** Bit depths that decode to the same values here and in Pillow, by photometric interpretation. */
const readable: Record<number, { name: string; bits: number[] }> = {
  0: { name: 'white-is-zero grey', bits: [1, 8] },
  1: { name: 'grey', bits: [1, 8, 16] },
  2: { name: 'RGB', bits: [8, 16] },
  3: { name: 'palette', bits: [1, 2, 4, 8] },
  5: { name: 'CMYK', bits: [8] },
  6: { name: 'YCbCr', bits: [8] },
};

/** Reads and checks the first directory. Throws BrokenImage for what is cut short or not readable as Pillow would. */
export function readTiffHeader(bytes: Uint8Array): TiffHeader {
  const values = readDirectory(bytes);
  const first = (tag: number, otherwise: number) => values.get(tag)?.[0] ?? otherwise;
  const photometric = first(tags.photometric, 0);
  const bits = values.get(tags.bitsPerSample) ?? [1];
  const kind = readable[photometric];
  if (!kind)
    throw new BrokenImage(
      `this TIFF has colours of kind ${photometric} (photometric interpretation)`,
      saveAnew,
    );
  if (!bits.every((depth) => depth === bits[0]) || !kind.bits.includes(bits[0])) {
    throw new BrokenImage(
      `a ${kind.name} TIFF expected ${kind.bits.join(' or ')} bits a sample, got ${bits}`,
    );
  }
  if (photometric === 6 && first(tags.compression, 1) !== 7) {
    throw new BrokenImage('a YCbCr TIFF expected JPEG compression (7), got another', saveAnew);
  }
  if (first(tags.sampleFormat, 1) !== 1)
    throw new BrokenImage('this TIFF holds signed or floating-point samples', saveAnew);
  if (first(tags.extraSamples, 2) === 1)
    throw new BrokenImage('this TIFF has colours multiplied by alpha', saveAnew);
  return { orientation: first(tags.orientation, 1) };
}

/** The directory's tags that hold 16-bit or 32-bit integers. */
function readDirectory(bytes: Uint8Array): Map<number, number[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  try {
    const start = view.getUint32(4, little);
    const count = view.getUint16(start, little);
    const values = new Map<number, number[]>();
    for (let i = 0; i < count; i++) {
      const at = start + 2 + i * 12;
      const list = readValues(view, at, little);
      if (list) values.set(view.getUint16(at, little), list);
    }
    return values;
  } catch (cause) {
    if (cause instanceof RangeError) throw new BrokenImage('the TIFF ends inside its first directory');
    throw cause;
  }
}

/** Only short lists are needed here: long ones (strip offsets) are left out. */
function readValues(view: DataView, at: number, little: boolean): number[] | undefined {
  const type = view.getUint16(at + 2, little);
  const count = view.getUint32(at + 4, little);
  if ((type !== 3 && type !== 4) || count === 0 || count > 16) return undefined;
  const width = type === 3 ? 2 : 4;
  const start = count * width <= 4 ? at + 8 : view.getUint32(at + 8, little);
  return Array.from({ length: count }, (_, i) =>
    type === 3 ? view.getUint16(start + i * width, little) : view.getUint32(start + i * width, little),
  );
}
