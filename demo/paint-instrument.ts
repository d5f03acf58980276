/** Paints a steel instrument: a coiled shaft that ends in forceps or in a wire snare. */
import type { Stream } from '../src/random.ts';
import { type Canvas, distance } from './canvas.ts';
import { between, type Instrument } from './facts.ts';

export function paintInstrument(canvas: Canvas, instrument: Instrument, draws: Stream): void {
  const [ax, ay] = instrument.from;
  const [bx, by] = instrument.tip;
  const heading = Math.atan2(by - ay, bx - ax);
  const half = between([3.4, 4.4], draws);
  shaft(canvas, [ax, ay], heading, distance(bx - ax, by - ay), half);
  if (instrument.kind === 'forceps') jaws(canvas, bx, by, heading);
  else loop(canvas, bx, by, heading, between([5, 7], draws));
}

/** A cylinder seen from the side: bright along its middle, dark at both edges, with the turns of its coil. */
function shaft(
  canvas: Canvas,
  [ax, ay]: [number, number],
  heading: number,
  length: number,
  half: number,
): void {
  const [ux, uy] = [Math.cos(heading), Math.sin(heading)];
  canvas.each((x, y, i) => {
    const along = (x - ax) * ux + (y - ay) * uy;
    const across = (y - ay) * ux - (x - ax) * uy;
    const shadow = Math.min(1, Math.max(0, half + 2.5 - Math.abs(across)) / 3);
    if (along < 0 || along > length || shadow <= 0) return;
    canvas.blend(i, [40, 14, 14], 0.45 * shadow);
    const t = across / half;
    const cover = Math.min(1, Math.max(0, half + 0.5 - Math.abs(across)));
    const round = Math.sqrt(Math.max(0, 1 - t * t));
    const shine = Math.exp(-(((t + 0.25) / 0.22) ** 2));
    const grey = 62 + 96 * round + 80 * shine + 12 * Math.sin(along * 2.1);
    canvas.blend(i, [grey * 0.94, grey * 0.99, grey * 1.06], cover);
  });
}

function jaws(canvas: Canvas, x: number, y: number, heading: number): void {
  for (const side of [-1, 1])
    for (let s = 0; s <= 9; s += 0.5) {
      const angle = heading + side * (0.75 - 0.035 * s);
      canvas.dab(x + s * Math.cos(angle), y + s * Math.sin(angle), 1.6 - 0.09 * s, (i, cover) =>
        canvas.blend(i, [196, 202, 212], 0.8 * cover),
      );
    }
}

function loop(canvas: Canvas, x: number, y: number, heading: number, radius: number): void {
  const [cx, cy] = [x + radius * 1.35 * Math.cos(heading), y + radius * 1.35 * Math.sin(heading)];
  for (let a = 0; a < 2 * Math.PI; a += 0.05) {
    const [along, across] = [radius * 1.4 * Math.cos(a), radius * Math.sin(a)];
    const px = cx + along * Math.cos(heading) - across * Math.sin(heading);
    const py = cy + along * Math.sin(heading) + across * Math.cos(heading);
    canvas.dab(px, py, 0.6, (i, cover) => canvas.blend(i, [222, 224, 226], 0.45 * cover));
  }
}
