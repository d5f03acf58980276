/** A square picture in floating point, and the few strokes that the scenes need. */
import type { Stream } from '../src/random.ts';

export type Rgb = [red: number, green: number, blue: number];

/** Plain square root: several times faster than Math.hypot, which guards against overflow. */
export function distance(dx: number, dy: number): number {
  return Math.sqrt(dx * dx + dy * dy);
}

export class Canvas {
  readonly side: number;
  /** [side * side * 3], 0 to 255 where visible. */
  readonly pixels: Float32Array;

  constructor(side: number) {
    this.side = side;
    this.pixels = new Float32Array(side * side * 3);
  }

  /** Calls `paint` with the centre of every pixel and its index. */
  each(paint: (x: number, y: number, i: number) => void): void {
    for (let i = 0; i < this.side * this.side; i++)
      paint((i % this.side) + 0.5, Math.floor(i / this.side) + 0.5, i);
  }

  /** Calls `paint` with the cover (0 to 1) of a soft round dot over the pixels around it. */
  dab(x: number, y: number, radius: number, paint: (i: number, cover: number) => void): void {
    const reach = radius + 1;
    for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(this.side, y + reach); row++)
      for (
        let column = Math.max(0, Math.floor(x - reach));
        column < Math.min(this.side, x + reach);
        column++
      ) {
        const cover = radius + 0.5 - distance(column + 0.5 - x, row + 0.5 - y);
        if (cover > 0) paint(row * this.side + column, Math.min(1, cover));
      }
  }

  set(i: number, [red, green, blue]: Rgb): void {
    this.pixels[3 * i] = red;
    this.pixels[3 * i + 1] = green;
    this.pixels[3 * i + 2] = blue;
  }

  scale(i: number, factor: number, add: number): void {
    for (let c = 3 * i; c < 3 * i + 3; c++) this.pixels[c] = this.pixels[c] * factor + add;
  }

  blend(i: number, colour: Rgb, alpha: number): void {
    for (let c = 0; c < 3; c++) this.pixels[3 * i + c] += (colour[c] - this.pixels[3 * i + c]) * alpha;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.pixels.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.max(0, Math.min(255, Math.round(this.pixels[i])));
    return bytes;
  }
}

export function smoothstep(low: number, high: number, x: number): number {
  const t = Math.max(0, Math.min(1, (x - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/** [side * side] value noise in -1..1: random values on a lattice of `cell` pixels, blended smoothly between. */
export function smoothNoise(side: number, cell: number, draws: Stream): Float32Array {
  const columns = Math.ceil(side / cell) + 2;
  const lattice = Float32Array.from({ length: columns * columns }, () => 2 * draws.uniform() - 1);
  const noise = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    const row = Math.floor(y / cell);
    const v = smoothstep(0, 1, y / cell - row);
    for (let x = 0; x < side; x++) {
      const column = Math.floor(x / cell);
      const u = smoothstep(0, 1, x / cell - column);
      const at = row * columns + column;
      const top = lattice[at] + (lattice[at + 1] - lattice[at]) * u;
      const bottom = lattice[at + columns] + (lattice[at + columns + 1] - lattice[at + columns]) * u;
      noise[y * side + x] = top + (bottom - top) * v;
    }
  }
  return noise;
}
