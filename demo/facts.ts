/** What a scene shows, drawn from a seed. Facts come first; `paint.ts` only makes them visible. */
import { type Stream, shuffle } from '../src/random.ts';

/** Side of a scene in pixels: 8 patches of 14, so that the image processor leaves it as it is. */
export const SIDE = 112;
export const CENTRE = SIDE / 2;
/** Radius of the lit round field of view. */
export const FIELD = 53;

export const places = ['upper left', 'upper right', 'lower left', 'lower right', 'centre'] as const;
export const colours = ['red', 'pink', 'white', 'yellow'] as const;
export const sizes = ['<5mm', '5-10mm', '11-20mm', '>20mm'] as const;
export type Place = (typeof places)[number];
export type Colour = (typeof colours)[number];
export type Size = (typeof sizes)[number];

/** Radii in pixels. The gaps between bands are wider than the outline's wobble. */
export const radiusBands: Record<Size, readonly [number, number]> = {
  '<5mm': [5, 6],
  '5-10mm': [9.5, 11],
  '11-20mm': [15.5, 17.5],
  '>20mm': [23, 26],
};

export interface Polyp {
  x: number;
  y: number;
  radius: number;
  place: Place;
  colour: Colour;
  size: Size;
}

/** A rod from the edge of the field to its tip. */
export interface Instrument {
  kind: 'forceps' | 'snare';
  from: readonly [x: number, y: number];
  tip: readonly [x: number, y: number];
}

export interface SceneFacts {
  polyps: Polyp[];
  instrument: Instrument | null;
}

/** How often a scene shows 0, 1, 2, 3 polyps, in percent. */
const countShares = [28, 42, 15, 15];

export function drawFacts(draws: Stream): SceneFacts {
  const polyps = drawPolyps(draws, weighted(countShares, draws));
  return { polyps, instrument: draws.uniform() < 0.5 ? drawInstrument(polyps, draws) : null };
}

function weighted(shares: number[], draws: Stream): number {
  let rest = draws.uniform() * shares.reduce((a, b) => a + b);
  return shares.findIndex((share) => {
    rest -= share;
    return rest < 0;
  });
}

/** Several polyps are smaller ones, in different places, so that each can be told from the others. */
function drawPolyps(draws: Stream, count: number): Polyp[] {
  const choices = sizes.slice(0, [0, 4, 3, 2][count]);
  for (;;) {
    const spots = shuffle([...places], draws).slice(0, count);
    const polyps = spots.map((place) => drawPolyp(place, pick(choices, draws), draws));
    if (apart(polyps)) return polyps;
  }
}

function apart(polyps: Polyp[]): boolean {
  return polyps.every((a, i) =>
    polyps.slice(i + 1).every((b) => Math.hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius + 6),
  );
}

function drawPolyp(place: Place, size: Size, draws: Stream): Polyp {
  const radius = between(radiusBands[size], draws);
  // Along the diagonal, the farthest offset that leaves the whole polyp inside the field.
  const reach = (FIELD - 4 - radius) / Math.SQRT2;
  const offset = () => between([Math.min(reach - 2, 17), Math.min(reach, 25)], draws);
  const shift = () => (place === 'centre' ? between([-5, 5], draws) : offset());
  const x = CENTRE + shift() * (place.endsWith('left') ? -1 : 1);
  const y = CENTRE + shift() * (place.startsWith('upper') ? -1 : 1);
  return { x, y, radius, place, colour: pick(colours, draws), size };
}

/** A rod that reaches at least 26 px into the field and keeps clear of every polyp. */
function drawInstrument(polyps: Polyp[], draws: Stream): Instrument {
  for (let clearance = 8; ; clearance -= 0.05) {
    const entry = draws.uniform() * 2 * Math.PI;
    const from = [CENTRE + (FIELD + 6) * Math.cos(entry), CENTRE + (FIELD + 6) * Math.sin(entry)] as const;
    const angle = draws.uniform() * 2 * Math.PI;
    const depth = Math.sqrt(draws.uniform()) * 38;
    const tip = [CENTRE + depth * Math.cos(angle), CENTRE + depth * Math.sin(angle)] as const;
    const kind = draws.uniform() < 0.5 ? 'forceps' : 'snare';
    const length = Math.hypot(tip[0] - from[0], tip[1] - from[1]);
    const clear = polyps.every((p) => distanceToSegment(p.x, p.y, from, tip) > p.radius + clearance);
    if (length > 32 && length < 75 && clear) return { kind, from, tip };
  }
}

export function distanceToSegment(
  x: number,
  y: number,
  [ax, ay]: readonly [number, number],
  [bx, by]: readonly [number, number],
): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

export function between([low, high]: readonly [number, number], draws: Stream): number {
  return low + (high - low) * draws.uniform();
}

export function pick<T>(items: readonly T[], draws: Stream): T {
  return items[draws.integer(items.length)];
}
