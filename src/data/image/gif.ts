import type { RgbImage } from '../processor.ts';
import { BrokenImage } from './broken.ts';

interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  interlaced: boolean;
  palette?: Uint8Array;
  transparent?: number;
  /** Offset of the byte that holds the LZW code size. */
  start: number;
}

interface Gif {
  width: number;
  height: number;
  frame: Frame;
}

/**
 * The first frame in the palette's own colours. A transparent pixel keeps the colour its index has there, as
 * Pillow keeps it; decoders that return RGBA lose it. Throws BrokenImage.
 */
export function decodeGif(bytes: Uint8Array): RgbImage {
  const { width, height, frame } = readGif(bytes);
  const indices = new Uint8Array(width * height).fill(frame.transparent ?? 0);
  const codes = new BlockReader(bytes, frame.start + 1);
  const rows = frame.interlaced ? interlacedRows(frame.height) : undefined;
  let x = 0;
  let line = 0;
  unpackLzw(codes, bytes[frame.start], frame.width * frame.height, (index) => {
    const y = frame.top + (rows ? rows[line] : line);
    indices[y * width + frame.left + x] = index;
    if (++x === frame.width) {
      x = 0;
      line++;
    }
  });
  const data = new Uint8Array(indices.length * 3);
  const colours = colourTable(frame.palette);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * 3;
    data[i * 3] = colours[from];
    data[i * 3 + 1] = colours[from + 1];
    data[i * 3 + 2] = colours[from + 2];
  }
  return { width, height, data };
}

/** Width and height of the first frame's canvas: the screen, or more where the frame reaches over it. */
export function gifSize(bytes: Uint8Array): { width: number; height: number } {
  const { width, height } = readGif(bytes);
  return { width, height };
}

function readGif(bytes: Uint8Array): Gif {
  if (bytes.length < 13) throw new BrokenImage('the GIF ends inside its header');
  const screenPalette = paletteAt(bytes, 13, bytes[10]);
  const frame = readFrame(bytes, 13 + paletteBytes(bytes[10]));
  frame.palette ??= screenPalette;
  return {
    width: Math.max(u16(bytes, 6), frame.left + frame.width),
    height: Math.max(u16(bytes, 8), frame.top + frame.height),
    frame,
  };
}

/** Walks over the extensions to the first image block. */
function readFrame(bytes: Uint8Array, from: number): Frame {
  let transparent: number | undefined;
  for (let at = from; at < bytes.length; ) {
    if (bytes[at] === 0x2c) return { ...readDescriptor(bytes, at + 1), transparent };
    if (bytes[at] === 0x3b) break;
    if (bytes[at] !== 0x21) {
      at++;
      continue;
    }
    const isControl = bytes[at + 1] === 0xf9 && bytes[at + 2] >= 4;
    if (isControl && bytes[at + 3] & 1) transparent = bytes[at + 6];
    at += 2;
    while (bytes[at]) at += bytes[at] + 1;
    at++;
  }
  throw new BrokenImage('the GIF holds no frame');
}

function readDescriptor(bytes: Uint8Array, at: number): Frame {
  if (at + 10 > bytes.length) throw new BrokenImage('the GIF ends inside the header of its first frame');
  const flags = bytes[at + 8];
  const frame: Frame = {
    left: u16(bytes, at),
    top: u16(bytes, at + 2),
    width: u16(bytes, at + 4),
    height: u16(bytes, at + 6),
    interlaced: (flags & 64) !== 0,
    palette: paletteAt(bytes, at + 9, flags),
    start: at + 9 + paletteBytes(flags),
  };
  if (frame.width === 0 || frame.height === 0)
    throw new BrokenImage('the first frame of the GIF has no pixels');
  return frame;
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function paletteBytes(flags: number): number {
  return flags & 128 ? 3 << ((flags & 7) + 1) : 0;
}

function paletteAt(bytes: Uint8Array, at: number, flags: number): Uint8Array | undefined {
  return flags & 128 ? bytes.subarray(at, at + paletteBytes(flags)) : undefined;
}

/** 256 colours. A grey ramp, or no palette, means that an index is its own grey level. */
function colourTable(palette: Uint8Array | undefined): Uint8Array {
  const ramp = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  if (!palette || palette.every((value, i) => value === ramp[i])) return ramp;
  const table = new Uint8Array(768);
  table.set(palette);
  return table;
}

/** Rows in the order they are stored: every 8th from 0, every 8th from 4, every 4th from 2, every 2nd from 1. */
function interlacedRows(height: number): Uint32Array {
  const order = new Uint32Array(height);
  let i = 0;
  for (const [first, step] of [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ]) {
    for (let y = first; y < height; y += step) order[i++] = y;
  }
  return order;
}

/** Reads codes, low bits first, across the length-prefixed blocks they are stored in. */
class BlockReader {
  private readonly bytes: Uint8Array;
  private at: number;
  private left = 0;
  private bits = 0;
  private held = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  code(size: number): number {
    while (this.held < size) {
      if (this.left === 0) this.openBlock();
      this.bits |= this.bytes[this.at++] << this.held;
      this.held += 8;
      this.left--;
    }
    const code = this.bits & ((1 << size) - 1);
    this.bits >>>= size;
    this.held -= size;
    return code;
  }

  private openBlock(): void {
    const length = this.bytes[this.at];
    if (!length || this.at + length >= this.bytes.length) {
      throw new BrokenImage('the GIF ends before its last pixel');
    }
    this.left = length;
    this.at++;
  }
}

const maxCodes = 4096;

/** LZW as GIF89a describes it (appendix F): emits exactly `wanted` indices or throws. */
function unpackLzw(reader: BlockReader, bits: number, wanted: number, emit: (index: number) => void): void {
  if (bits > 8) throw new BrokenImage(`the GIF's code size expected at most 8 bits, got ${bits}`);
  const clear = 1 << bits;
  const links = new Uint16Array(maxCodes);
  const lasts = new Uint8Array(maxCodes);
  const stack = new Uint8Array(maxCodes + 1);
  let size = bits + 1;
  let next = clear + 2;
  let previous = -1;
  let first = 0;
  while (wanted > 0) {
    const code = reader.code(size);
    if (code === clear) {
      size = bits + 1;
      next = clear + 2;
      previous = -1;
      continue;
    }
    if (code === clear + 1) throw new BrokenImage(`the GIF ends ${wanted} pixels early`);
    if (code > (previous < 0 ? clear : next)) throw new BrokenImage(`the GIF holds the unknown code ${code}`);
    let depth = 0;
    let walk = code;
    // A code may be the one that this very step defines: the previous string and its own first index.
    if (previous >= 0 && code === next) {
      stack[depth++] = first;
      walk = previous;
    }
    while (walk >= clear) {
      if (walk >= maxCodes || depth > maxCodes)
        throw new BrokenImage('the GIF holds a string without an end');
      stack[depth++] = lasts[walk];
      walk = links[walk];
    }
    first = walk;
    stack[depth++] = first;
    if (previous >= 0 && next < maxCodes) {
      lasts[next] = first;
      links[next] = previous;
      if (next === (1 << size) - 1 && size < 12) size++;
      next++;
    }
    previous = code;
    while (depth > 0 && wanted > 0) {
      emit(stack[--depth]);
      wanted--;
    }
  }
}
