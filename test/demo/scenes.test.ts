import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CENTRE, distanceToSegment, FIELD, type Polyp, radiusBands, SIDE, sizes } from '../../demo/facts.ts';
import { drawScene } from '../../demo/scenes.ts';

const scenes = Array.from({ length: 150 }, (_, n) => drawScene(5, n));

describe('drawScene', () => {
  it('gives the same bytes for the same address, and others for another', () => {
    expect(drawScene(5, 3).image).toEqual(scenes[3].image);
    expect(drawScene(6, 3).image).not.toEqual(scenes[3].image);
    expect(scenes[0].image).toHaveLength(SIDE * SIDE * 3);
  });

  it('keeps the bytes that the base was trained on', () => {
    const digest = createHash('sha256');
    for (const { image } of scenes.slice(0, 8)) digest.update(image);
    expect(digest.digest('hex')).toBe('2b066b7e15bd7762e831a6743b95600845c741d68d139975b9269cb042c2df6d');
  });

  it('keeps polyps inside the field and apart from each other', () => {
    for (const { facts } of scenes)
      facts.polyps.forEach((a, i) => {
        expect(Math.hypot(a.x - CENTRE, a.y - CENTRE) + a.radius).toBeLessThan(FIELD);
        for (const b of facts.polyps.slice(i + 1))
          expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(a.radius + b.radius + 5);
      });
  });

  it('puts every polyp where its place says, with the radius of its size', () => {
    for (const polyp of scenes.flatMap((scene) => scene.facts.polyps)) {
      expect(placeOf(polyp)).toBe(polyp.place);
      const [low, high] = radiusBands[polyp.size];
      expect(polyp.radius).toBeGreaterThanOrEqual(low);
      expect(polyp.radius).toBeLessThanOrEqual(high);
    }
  });

  it('paints a polyp in a colour that tells it from the wall', () => {
    for (const { facts, image } of scenes)
      for (const polyp of facts.polyps) expect(colourAt(image, polyp)).toBe(polyp.colour);
  });

  it('keeps instruments off the polyps', () => {
    for (const { facts } of scenes)
      for (const polyp of facts.polyps)
        if (facts.instrument) {
          const { from, tip } = facts.instrument;
          expect(distanceToSegment(polyp.x, polyp.y, from, tip)).toBeGreaterThan(polyp.radius + 4);
        }
  });

  it('leaves a gap between size bands and shows every kind of scene', () => {
    for (let i = 1; i < sizes.length; i++)
      expect(radiusBands[sizes[i]][0] / radiusBands[sizes[i - 1]][1]).toBeGreaterThan(1.3);
    const counts = new Set(scenes.map((scene) => scene.facts.polyps.length));
    expect([...counts].sort()).toEqual([0, 1, 2, 3]);
    const instruments = scenes.filter((scene) => scene.facts.instrument).length / scenes.length;
    expect(instruments).toBeGreaterThan(0.35);
    expect(instruments).toBeLessThan(0.65);
  });
});

function placeOf({ x, y }: Polyp): string {
  if (Math.max(Math.abs(x - CENTRE), Math.abs(y - CENTRE)) < 8) return 'centre';
  return `${y < CENTRE ? 'upper' : 'lower'} ${x < CENTRE ? 'left' : 'right'}`;
}

/** The colour by hand-made rules over the median of the pixels in the middle of the polyp. */
function colourAt(image: Uint8Array, { x, y, radius }: Polyp): string {
  const channels: number[][] = [[], [], []];
  for (let dy = -radius * 0.6; dy <= radius * 0.6; dy++)
    for (let dx = -radius * 0.6; dx <= radius * 0.6; dx++) {
      const at = 3 * (Math.floor(y + dy) * SIDE + Math.floor(x + dx));
      for (let c = 0; c < 3; c++) channels[c].push(image[at + c]);
    }
  const [red, green, blue] = channels.map((values) => values.sort((a, b) => a - b)[values.length >> 1]);
  if (green / red < 0.4) return 'red';
  if (blue / red < 0.5) return 'yellow';
  return green / red > 0.85 ? 'white' : 'pink';
}
