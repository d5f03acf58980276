/** Paints the facts of a scene as a small endoscope would show them. Nothing here decides a fact. */
import type { Stream } from '../src/random.ts';
import { Canvas, distance, type Rgb, smoothNoise, smoothstep } from './canvas.ts';
import { between, CENTRE, type Colour, FIELD, type Polyp, type SceneFacts, SIDE } from './facts.ts';
import { paintInstrument } from './paint-instrument.ts';

const polypColours: Record<Colour, Rgb> = {
  red: [172, 34, 38],
  pink: [246, 148, 180],
  white: [238, 232, 222],
  yellow: [224, 184, 74],
};

export function paintScene(facts: SceneFacts, draws: Stream): Uint8Array {
  const canvas = new Canvas(SIDE);
  paintMucosa(canvas, draws);
  paintVessels(canvas, draws);
  const texture = smoothNoise(SIDE, 5, draws);
  for (const polyp of facts.polyps) paintPolyp(canvas, polyp, texture, draws);
  paintGlints(canvas, facts, draws);
  if (facts.instrument) paintInstrument(canvas, facts.instrument, draws);
  paintLight(canvas, draws);
  return canvas.bytes();
}

/** Salmon-coloured wall with folds in rings around a dark lumen somewhere near the edge. */
function paintMucosa(canvas: Canvas, draws: Stream): void {
  const base: Rgb = [between([186, 214], draws), between([96, 118], draws), between([78, 98], draws)];
  const angle = draws.uniform() * 2 * Math.PI;
  const off = between([10, 44], draws);
  const [lx, ly] = [CENTRE + off * Math.cos(angle), CENTRE + off * Math.sin(angle)];
  const lumen = between([8, 17], draws);
  const spacing = between([13, 19], draws);
  const phase = draws.uniform() * 2 * Math.PI;
  const [broad, fine] = [smoothNoise(SIDE, 30, draws), smoothNoise(SIDE, 7, draws)];
  canvas.each((x, y, i) => {
    const away = distance(x - lx, (y - ly) * 1.1) + broad[i] * 9;
    const ring = Math.sin((away / spacing) * 2 * Math.PI + phase);
    const fold = 0.09 * ring + 0.1 * Math.max(0, ring) ** 6;
    const light = 0.98 + fold + 0.12 * broad[i] + 0.07 * fine[i];
    const depth = 0.25 + 0.75 * smoothstep(lumen * 0.35, lumen * 1.5, away);
    canvas.set(i, [base[0] * light * depth, base[1] * light * depth ** 1.4, base[2] * light * depth ** 1.4]);
  });
}

/** Thin branching lines, a little darker and redder than the wall. */
function paintVessels(canvas: Canvas, draws: Stream): void {
  const trunks = 3 + draws.integer(3);
  for (let v = 0; v < trunks; v++) {
    const start = draws.uniform() * 2 * Math.PI;
    const x = CENTRE + FIELD * Math.cos(start);
    const y = CENTRE + FIELD * Math.sin(start);
    vessel(canvas, x, y, start + Math.PI + between([-0.7, 0.7], draws), 1.1, draws);
  }
}

function vessel(canvas: Canvas, x: number, y: number, heading: number, width: number, draws: Stream): void {
  let [px, py, direction] = [x, y, heading];
  const steps = 26 + draws.integer(24);
  for (let s = 0; s < steps; s++) {
    direction += between([-0.28, 0.28], draws);
    px += Math.cos(direction);
    py += Math.sin(direction);
    canvas.dab(px, py, width, (i, cover) => canvas.blend(i, [140, 40, 42], 0.3 * cover));
    if (width > 0.8 && draws.uniform() < 0.06)
      vessel(canvas, px, py, direction + between([-1, 1], draws), width * 0.7, draws);
  }
}

/** A lit dome with a wavy outline, a soft shadow at its foot and wet highlights. */
function paintPolyp(canvas: Canvas, polyp: Polyp, texture: Float32Array, draws: Stream): void {
  const { x: cx, y: cy, radius } = polyp;
  const lobes = [2, 3, 5].map((n) => ({
    n,
    size: clamp((0.075 / Math.sqrt(n)) * draws.normal(), 0.06),
    phase: draws.uniform() * 7,
  }));
  const tint = between([0.94, 1.06], draws);
  const colour = polypColours[polyp.colour].map((c) => c * tint);
  const light = Math.atan2(CENTRE - 14 - cy, CENTRE - 8 - cx);
  canvas.each((x, y, i) => {
    const [dx, dy] = [x - cx, y - cy];
    const away = distance(dx, dy);
    if (away > radius * 1.5 + 2) return;
    const angle = Math.atan2(dy, dx);
    const wave = lobes.reduce((sum, l) => sum + l.size * Math.cos(l.n * angle + l.phase), 1);
    const edge = radius * wave;
    const foot = 1 - smoothstep(edge - 1, edge + 1.5 + radius * 0.22, away);
    if (foot <= 0) return;
    canvas.blend(i, [74, 18, 20], 0.6 * foot);
    const inside = 1 - smoothstep(edge - 0.9, edge + 0.5, away);
    const t = Math.min(1, away / edge);
    const facing = t * Math.cos(angle - light);
    const shade = 0.62 + 0.38 * Math.sqrt(1 - t * t) + 0.14 * facing + 0.1 * texture[i];
    canvas.blend(i, [colour[0] * shade, colour[1] * shade, colour[2] * shade], inside);
  });
  const [gx, gy] = [cx + radius * 0.42 * Math.cos(light), cy + radius * 0.42 * Math.sin(light)];
  glint(canvas, gx, gy, 0.6 + radius * 0.06, draws);
}

const clamp = (value: number, limit: number) => Math.max(-limit, Math.min(limit, value));

/** Wet reflections on the wall: far thinner than the smallest polyp, and never on one. */
function paintGlints(canvas: Canvas, facts: SceneFacts, draws: Stream): void {
  const count = 3 + draws.integer(6);
  for (let g = 0; g < count; g++) {
    const x = between([12, SIDE - 12], draws);
    const y = between([12, SIDE - 12], draws);
    const free = facts.polyps.every((p) => distance(p.x - x, p.y - y) > p.radius + 4);
    if (free) glint(canvas, x, y, between([0.5, 0.9], draws), draws);
  }
}

function glint(canvas: Canvas, x: number, y: number, width: number, draws: Stream): void {
  const angle = draws.uniform() * Math.PI;
  for (let s = -1.5; s <= 1.5; s += 0.75)
    canvas.dab(x + s * width * Math.cos(angle), y + s * width * Math.sin(angle), width, (i, cover) =>
      canvas.blend(i, [255, 250, 244], 0.55 * cover),
    );
}

/** The lamp's fall-off, the round black frame and the sensor's grain. */
function paintLight(canvas: Canvas, draws: Stream): void {
  const [ox, oy] = [between([-4, 4], draws), between([-4, 4], draws)];
  const lamp = between([0.94, 1.06], draws);
  const [middle, radius] = [CENTRE, FIELD];
  canvas.each((x, y, i) => {
    const rim = 1 - smoothstep(radius - 1.2, radius + 0.8, distance(x - middle, y - middle));
    const away = distance(x - middle - ox, y - middle - oy) / radius;
    const light = lamp * (1.07 - 0.3 * away * away) * rim;
    const grain = (draws.uniform() - 0.5) * 9;
    canvas.scale(i, light, 6 * (1 - rim) + grain * (0.3 + 0.7 * rim));
  });
}
